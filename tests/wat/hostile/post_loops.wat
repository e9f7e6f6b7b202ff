;; Answers well, and loops for ever in its post-return.
(module $post_loops
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $answer (local.get $start) (local.get $length)))
  (func (export "cabi_post_sentinel:gateway/request-handler@0.1.0#on-request") (param i32) (loop $again (br $again))))
