;; Answers with as many bytes of its memory as the record, a little-endian u32, says.
(module $long_answer
  (memory (export "memory") 200)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $reset)
    (call $answer (i32.const 0) (i32.load (local.get $start)))))
