;; A hook that is a global.
;; expect: exports sentinel:gateway/request-handler@0.1.0#on-request as global, expected func (i32 i32) -> i32
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (global (export "sentinel:gateway/request-handler@0.1.0#on-request") i32 (i32.const 16))
)
