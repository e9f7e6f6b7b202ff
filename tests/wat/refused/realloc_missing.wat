;; No cabi_realloc.
;; expect: exports no cabi_realloc, expected func (i32 i32 i32 i32) -> i32
(module
  (memory (export "memory") 1)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
