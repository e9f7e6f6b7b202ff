;; No hook.
;; expect: exports no hook of sentinel:gateway
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "on-request") (param i32 i32) (result i32) (i32.const 16))
)
