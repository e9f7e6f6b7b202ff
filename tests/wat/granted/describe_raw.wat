;; Describes a metric with the arguments that its record, nine little-endian u32, says: name, kind,
;; help, unit and bounds. At 64 stands a good name of 4 bytes, at 80 the bounds 1 and 2.
(module $describe_raw
  (import "sentinel:gateway/metrics@0.1.0" "describe"
    (func $describe (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 64) "good")
  (data (i32.const 80) "\00\00\00\00\00\00\f0\3f\00\00\00\00\00\00\00\40")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (call $describe
      (i32.load (local.get $start)) (i32.load offset=4 (local.get $start)) (i32.load offset=8 (local.get $start))
      (i32.load offset=12 (local.get $start)) (i32.load offset=16 (local.get $start))
      (i32.load offset=20 (local.get $start)) (i32.load offset=24 (local.get $start))
      (i32.load offset=28 (local.get $start)) (i32.load offset=32 (local.get $start)))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
