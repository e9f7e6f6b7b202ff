;; Adds 1 to 10,000 counters of different names, and to as many labels of one.
(module $metrics_flood
  (import "sentinel:gateway/metrics@0.1.0" "add" (func $add (param i32 i32 i32 i32 i64)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 64) "a0000")
  (data (i32.const 80) "\40\00\00\00\01\00\00\00\40\00\00\00\05\00\00\00")
  (func $digit (param $at i32) (param $number i32)
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (local $i i32)
    (loop $again
      (call $digit (i32.const 65) (local.get $i))
      (call $digit (i32.const 66) (i32.div_u (local.get $i) (i32.const 10)))
      (call $digit (i32.const 67) (i32.div_u (local.get $i) (i32.const 100)))
      (call $digit (i32.const 68) (i32.div_u (local.get $i) (i32.const 1000)))
      (call $add (i32.const 64) (i32.const 5) (i32.const 0) (i32.const 0) (i64.const 1))
      (call $add (i32.const 64) (i32.const 1) (i32.const 80) (i32.const 1) (i64.const 1))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
