;; A cabi_realloc that is a global.
;; expect: exports cabi_realloc as global
(module
  (memory (export "memory") 1)
  (global (export "cabi_realloc") i32 (i32.const 0))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
