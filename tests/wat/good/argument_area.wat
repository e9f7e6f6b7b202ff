;; Lends 64 bytes at 1024 for arguments, and traps when one that fits is not there, or another one is
;; not in a block of cabi_realloc. Answers what it got.
(module $argument_area
  (memory (export "memory") 2)
;;@include allocator
  (func (export "sentinel_argument_area") (result i64) (i64.const 0x40_00000400))
  (func $expect (param $is i32) (param $start i32)
    (if (i32.ne (local.get $is) (local.get $start)) (then unreachable)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $expect (local.get $start)
      (select (i32.const 1024) (i32.const 4096) (i32.le_u (local.get $length) (i32.const 64))))
    (call $reset)
    (call $answer (local.get $start) (local.get $length)))
  ;; The context stands behind the head.
  (func (export "sentinel:gateway/response-handler@0.1.0#on-response")
    (param $head i32) (param $head-length i32) (param $context i32) (param $length i32) (result i32)
    (call $expect (local.get $head) (i32.const 1024))
    (call $expect (local.get $context)
      (select (i32.add (i32.const 1024) (local.get $head-length)) (i32.const 4096)
        (i32.and (i32.le_u (i32.add (local.get $head-length) (local.get $length)) (i32.const 64))
          (i32.gt_u (local.get $length) (i32.const 0)))))
    (call $reset)
    (call $answer (local.get $context) (local.get $length))))
