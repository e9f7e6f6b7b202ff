;; An import of a newer version.
;; expect: sentinel:gateway/log@0.1.7 needs sentinel:gateway 0.1.7; this host offers 0.1.0
(module
  (import "sentinel:gateway/log@0.1.7" "write" (func (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
