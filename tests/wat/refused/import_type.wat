;; log.write without its level.
;; expect: imports sentinel:gateway/log@0.1.0 write as func (i32 i32), expected func (i32 i32 i32)
(module
  (import "sentinel:gateway/log@0.1.0" "write" (func (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
