;; No version.
;; expect: sentinel:gateway/request-handler#on-request carries no version; this host offers sentinel:gateway 0.1.0
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler#on-request") (param i32 i32) (result i32) (i32.const 16))
)
