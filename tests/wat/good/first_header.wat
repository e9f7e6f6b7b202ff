;; Answers on-request and on-response with the value of the head's first header, as bin 8, 16 or 32;
;; its name is one letter, the request is GET / without a query, the response's status is above 127.
;; Writes the context of on-complete to the log.
(module $first_header
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 64)
;;@include allocator
  (func $byte (param $at i32) (result i32) (i32.load8_u (local.get $at)))
  ;; The value behind its type's byte at $at.
  (func $value (param $at i32) (result i32) (local $width i32) (local $length i32)
    (local.set $width (i32.shl (i32.const 1) (i32.sub (call $byte (local.get $at)) (i32.const 0xc4))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (loop $more
      (local.set $length (i32.or (i32.shl (local.get $length) (i32.const 8)) (call $byte (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $width (i32.sub (local.get $width) (i32.const 1)))
      (br_if $more (local.get $width)))
    (call $answer (local.get $at) (local.get $length)))
  (func $post (param i32) (call $reset))
  ;; Ten values: "GET", "/", nil, a list of one pair.
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (call $value (i32.add (local.get $start) (i32.const 12))))
  (export "cabi_post_sentinel:gateway/request-handler@0.1.0#on-request" (func $post))
  ;; Three values: a status of two or three bytes, a list of one pair.
  (func (export "sentinel:gateway/response-handler@0.1.0#on-response")
    (param $start i32) (param i32 i32 i32) (result i32)
    (call $value
      (i32.add
        (local.get $start)
        (select
          (i32.const 7)
          (i32.const 8)
          (i32.eq (call $byte (i32.add (local.get $start) (i32.const 1))) (i32.const 0xcc))))))
  (export "cabi_post_sentinel:gateway/response-handler@0.1.0#on-response" (func $post))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (call $reset)
    (call $log (i32.const 2) (local.get 2) (local.get 3))))
