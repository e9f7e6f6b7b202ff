;; A function called memory.
;; expect: exports memory as func (), expected 32-bit memory
(module
  (memory 1)
  (func (export "memory"))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
