;; Lends 64 bytes for arguments that end one byte behind the last page.
(module $argument_area_outside
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel_argument_area") (result i64) (i64.const 0x40_0000ffc1))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $reset)
    (call $answer (local.get 0) (local.get 1))))
