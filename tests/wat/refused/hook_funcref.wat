;; A hook that takes function references.
;; expect: exports sentinel:gateway/request-handler@0.1.0#on-request as func (ref i32) -> i32, expected func (i32 i32) -> i32
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param funcref i32) (result i32) (i32.const 16))
)
