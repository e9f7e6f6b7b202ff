;; Answers each hook with the record it got, so that a test decides what the guest answers.
(module $echo
  (memory (export "memory") 64)
;;@include allocator
  (func $echo (param $start i32) (param $length i32) (result i32) (local $copy i32)
    (local.set $copy (call $alloc (local.get $length)))
    (memory.copy (local.get $copy) (local.get $start) (local.get $length))
    (call $answer (local.get $copy) (local.get $length)))
  (func $post (param i32) (call $reset))
  (export "sentinel:gateway/request-handler@0.1.0#on-request" (func $echo))
  (export "cabi_post_sentinel:gateway/request-handler@0.1.0#on-request" (func $post))
  (func (export "sentinel:gateway/response-handler@0.1.0#on-response") (param i32 i32 i32 i32) (result i32)
    (call $echo (local.get 0) (local.get 1)))
  (export "cabi_post_sentinel:gateway/response-handler@0.1.0#on-response" (func $post))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (call $reset)))
