;; Sends what its record, three little-endian u32, says: request, its length, and the return area.
;; At 128 stands a request of 19 bytes. Answers with the context that is the first 12 bytes of the
;; area at 64, and the first four of the answer.
(module $http_raw
  (import "sentinel:gateway/http-client@0.1.0" "send" (func $send (param i32 i32 i32)))
  (memory (export "memory") 2)
;;@include allocator
  (data (i32.const 32) "\92\00\92\90\c4\10")
  (data (i32.const 128) "\92\a3GET\acgood request")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (call $send
      (i32.load (local.get $start)) (i32.load offset=4 (local.get $start)) (i32.load offset=8 (local.get $start)))
    (memory.copy (i32.const 38) (i32.const 64) (i32.const 12))
    (if (i32.eqz (i32.load8_u (i32.const 64)))
      (then (i32.store (i32.const 50) (i32.load (i32.load (i32.const 68))))))
    (call $reset)
    (call $answer (i32.const 32) (i32.const 22))))
