;; Sends a request, and then loops for ever.
(module $http_loops_after
  (import "sentinel:gateway/http-client@0.1.0" "send" (func $send (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (func $for-ever (loop $again (br $again)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $send (i32.const 128) (i32.const 1) (i32.const 64))
    (call $for-ever)
    (i32.const 64)))
