;; Sends a request in `configure`, which is refused when that was denied, as it must be.
(module $http_at_start
  (import "sentinel:gateway/http-client@0.1.0" "send" (func $send (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param i32 i32) (result i32)
    (call $send (i32.const 128) (i32.const 1) (i32.const 64))
    (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
    (if (i32.load8_u (i32.const 68)) (then unreachable))
    (i32.store (i32.const 96) (i32.const 0))
    (i32.const 96))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $answer (i32.const 1) (i32.const 0))))
