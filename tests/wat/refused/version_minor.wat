;; Another minor version.
;; expect: needs sentinel:gateway 0.2.0; this host offers 0.1.0
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.2.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
