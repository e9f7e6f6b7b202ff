;; One line per request, a JSON object, when the request is over and whatever its outcome.
(module
;;@common

  (data (i32.const 0) "{\22method\22:\22")
  (data (i32.const 11) "request\00method")
  (data (i32.const 25) ",\22path\22:\22")
  (data (i32.const 34) "request\00path")
  (data (i32.const 46) ",\22status\22:")
  (data (i32.const 56) "response\00code")
  (data (i32.const 69) ",\22bytes\22:")
  (data (i32.const 78) "response\00size")
  (data (i32.const 91) ",\22request_bytes\22:")
  (data (i32.const 108) "request\00size")
  (data (i32.const 120) ",\22duration_us\22:")
  (data (i32.const 135) "request\00duration")
  (data (i32.const 151) ",\22request_id\22:\22")
  (data (i32.const 166) "request\00id")
  (data (i32.const 176) ",\22client\22:\22")
  (data (i32.const 187) "source\00address")
  (data (i32.const 201) ",\22route\22:\22")
  (data (i32.const 211) "xds\00route_name")
  (data (i32.const 225) ",\22upstream\22:\22")
  (data (i32.const 238) "xds\00cluster_name")
  (data (i32.const 254) ",\22flags\22:")
  (data (i32.const 263) "response\00flags")

  (global $end (mut i32) (i32.const 4096))

  (func (export "proxy_on_log") (param i32)
    (call $reset)
    (global.set $end (i32.const 4096))
    (call $text (i32.const 0) (i32.const 11) (i32.const 11) (i32.const 14))
    (call $text (i32.const 25) (i32.const 9) (i32.const 34) (i32.const 12))
    (call $number (i32.const 46) (i32.const 10) (i32.const 56) (i32.const 13) (i64.const 1))
    (call $number (i32.const 69) (i32.const 9) (i32.const 78) (i32.const 13) (i64.const 1))
    (call $number (i32.const 91) (i32.const 17) (i32.const 108) (i32.const 12) (i64.const 1))
    (call $number (i32.const 120) (i32.const 15) (i32.const 135) (i32.const 16) (i64.const 1000))
    (call $text (i32.const 151) (i32.const 15) (i32.const 166) (i32.const 10))
    (call $text (i32.const 176) (i32.const 11) (i32.const 187) (i32.const 14))
    (call $text (i32.const 201) (i32.const 10) (i32.const 211) (i32.const 14))
    (call $text (i32.const 225) (i32.const 13) (i32.const 238) (i32.const 16))
    (call $number (i32.const 254) (i32.const 9) (i32.const 263) (i32.const 14) (i64.const 1))
    (call $byte (i32.const 0x7d))
    (drop (call $log (i32.const 2) (i32.const 4096) (i32.sub (global.get $end) (i32.const 4096)))))

  (func $byte (param $value i32)
    (i32.store8 (global.get $end) (local.get $value))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  (func $bytes (param $from i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $from) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))

  ;; Whether Envoy has a value for the property; its place and length are then at 1024 and 1028.
  ;; Lines end at 32 KiB.
  (func $property (param $path i32) (param $length i32) (result i32)
    (if (call $get_property (local.get $path) (local.get $length) (i32.const 1024) (i32.const 1028))
      (then (return (i32.const 0))))
    (i32.lt_u (i32.add (global.get $end) (i32.mul (i32.load (i32.const 1028)) (i32.const 6))) (i32.const 36864)))

  (func $number (param $name i32) (param $size i32) (param $path i32) (param $length i32) (param $unit i64)
    (local $value i64) (local $digit i32)
    (if (i32.eqz (call $property (local.get $path) (local.get $length))) (then (return)))
    (call $bytes (local.get $name) (local.get $size))
    (local.set $value (i64.div_u (i64.load (i32.load (i32.const 1024))) (local.get $unit)))
    ;; Digits are written backwards from 1072.
    (local.set $digit (i32.const 1072))
    (loop $next
      (local.set $digit (i32.sub (local.get $digit) (i32.const 1)))
      (i32.store8 (local.get $digit)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10)))))
      (br_if $next (i64.ne (local.tee $value (i64.div_u (local.get $value) (i64.const 10))) (i64.const 0))))
    (call $bytes (local.get $digit) (i32.sub (i32.const 1072) (local.get $digit))))

  (func $text (param $name i32) (param $size i32) (param $path i32) (param $length i32)
    (local $from i32) (local $to i32) (local $byte i32)
    (if (i32.eqz (call $property (local.get $path) (local.get $length))) (then (return)))
    (call $bytes (local.get $name) (local.get $size))
    (local.set $from (i32.load (i32.const 1024)))
    (local.set $to (i32.add (local.get $from) (i32.load (i32.const 1028))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
        (local.set $byte (i32.load8_u (local.get $from)))
        (call $escaped (local.get $byte))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next)))
    (call $byte (i32.const 0x22)))

  ;; RFC 8259, section 7: quotation mark, reverse solidus and control characters must be escaped.
  (func $escaped (param $byte i32)
    (if (i32.lt_u (local.get $byte) (i32.const 0x20))
      (then
        ;; "\u00" and two digits.
        (i32.store (global.get $end) (i32.const 0x3030755c))
        (global.set $end (i32.add (global.get $end) (i32.const 4)))
        (call $byte (i32.add (i32.const 0x30) (i32.shr_u (local.get $byte) (i32.const 4))))
        (local.set $byte (i32.and (local.get $byte) (i32.const 15)))
        (call $byte (i32.add (local.get $byte)
          (select (i32.const 0x30) (i32.const 0x57) (i32.lt_u (local.get $byte) (i32.const 10))))))
      (else
        (if (i32.or (i32.eq (local.get $byte) (i32.const 0x22)) (i32.eq (local.get $byte) (i32.const 0x5c)))
          (then (call $byte (i32.const 0x5c))))
        (call $byte (local.get $byte)))))
)
