;; Logs "before", sends a request, and logs "after".
(module $http_logs
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (import "sentinel:gateway/http-client@0.1.0" "send" (func $send (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 128) "beforeafter")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $log (i32.const 2) (i32.const 128) (i32.const 6))
    (call $send (i32.const 128) (i32.const 1) (i32.const 64))
    (call $log (i32.const 2) (i32.const 134) (i32.const 5))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
