;; Adds 1 with the arguments that its record, four little-endian u32, says: name, its length,
;; labels, how many. At 64 stands a good name of 4 bytes, at 80 a list of one good label.
(module $metrics_raw
  (import "sentinel:gateway/metrics@0.1.0" "add" (func $add (param i32 i32 i32 i32 i64)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 64) "good")
  (data (i32.const 80) "\40\00\00\00\04\00\00\00\40\00\00\00\04\00\00\00")
  ;; A label whose name lies outside of memory, and one whose value does.
  (data (i32.const 96) "\ff\ff\ff\ff\04\00\00\00\40\00\00\00\04\00\00\00")
  (data (i32.const 112) "\40\00\00\00\04\00\00\00\40\00\00\00\ff\ff\ff\ff")
  ;; The labels "a" and "b" in one order and in the other, and "b" twice.
  (data (i32.const 128) "\a0\00\00\00\01\00\00\00\40\00\00\00\04\00\00\00\a1\00\00\00\01\00\00\00\42\00\00\00\02\00\00\00ab")
  (data (i32.const 176) "\a1\00\00\00\01\00\00\00\42\00\00\00\02\00\00\00\a0\00\00\00\01\00\00\00\40\00\00\00\04\00\00\00")
  (data (i32.const 208) "\a1\00\00\00\01\00\00\00\42\00\00\00\02\00\00\00\a1\00\00\00\01\00\00\00\42\00\00\00\02\00\00\00")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (call $add
      (i32.load (local.get $start)) (i32.load offset=4 (local.get $start)) (i32.load offset=8 (local.get $start))
      (i32.load offset=12 (local.get $start)) (i64.const 1))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
