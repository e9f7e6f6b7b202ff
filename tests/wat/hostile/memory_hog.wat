;; Grows its memory until it cannot, then answers with edits whose context is the number of pages as
;; a u16.
(module $memory_hog
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (block $full (loop $more
      (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
      (br $more)))
    (call $reset)
    (i32.store8 (i32.const 518) (i32.shr_u (memory.size) (i32.const 8)))
    (i32.store8 (i32.const 519) (memory.size))
    (call $answer (i32.const 512) (i32.const 8)))
  (data (i32.const 512) "\92\00\92\90\c4\02\00\00"))
