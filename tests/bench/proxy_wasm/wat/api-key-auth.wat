;; Lets a request pass if it has the configured API key, and tells the upstream whose key it was.
;; The configuration is the key and its principal.
(module
;;@common
;;@words

  ;; Header maps are a count, the lengths of names and values, and then all of them, each with a NUL
  ;; behind.
  (data (i32.const 0) "x-api-key")
  (data (i32.const 9) "x-principal")
  (data (i32.const 20) "{\22error\22:\22an API key is required\22}")
  (data (i32.const 54) "{\22error\22:\22this API key is not accepted\22}")
  (data (i32.const 94) "\02\00\00\00\0c\00\00\00\10\00\00\00\10\00\00\00\17\00\00\00content-type\00application/json\00www-authenticate\00ApiKey realm=\22sentinel\22\00")
  (data (i32.const 185) "\01\00\00\00\0c\00\00\00\10\00\00\00content-type\00application/json\00")

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $sent i32) (local $size i32) (local $place i32) (local $difference i32)
    (call $reset)
    ;; Envoy joins several fields of a name with commas, and no key holds one.
    (if (call $get_header (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 1024) (i32.const 1028))
      (then (return (call $refuse (i32.const 401) (i32.const 20) (i32.const 34) (i32.const 94) (i32.const 91)))))
    (local.set $sent (i32.load (i32.const 1024)))
    (local.set $size (i32.load (i32.const 1028)))
    (if (i32.eqz (local.get $size))
      (then (return (call $refuse (i32.const 401) (i32.const 20) (i32.const 34) (i32.const 94) (i32.const 91)))))
    ;; Every byte is looked at, so that time does not tell how close a guess came.
    (local.set $difference (i32.xor (local.get $size) (i32.load (i32.const 1036))))
    (loop $next
      (local.set $difference (i32.or (local.get $difference) (i32.xor
        (i32.load8_u (i32.add (local.get $sent) (local.get $place)))
        (if (result i32) (i32.lt_u (local.get $place) (i32.load (i32.const 1036)))
          (then (i32.load8_u (i32.add (i32.load (i32.const 1032)) (local.get $place))))
          (else (i32.const 0))))))
      (br_if $next
        (i32.lt_u (local.tee $place (i32.add (local.get $place) (i32.const 1))) (local.get $size))))
    (if (local.get $difference)
      (then (return (call $refuse (i32.const 403) (i32.const 54) (i32.const 40) (i32.const 185) (i32.const 42)))))
    (drop (call $remove_header (i32.const 0) (i32.const 0) (i32.const 9)))
    (drop (call $set_header (i32.const 0) (i32.const 9) (i32.const 11) (i32.load (i32.const 1040)) (i32.load (i32.const 1044))))
    (i32.const 0))

  (func $refuse (param $status i32) (param $body i32) (param $size i32) (param $headers i32) (param $length i32)
    (result i32)
    (drop (call $respond (local.get $status) (i32.const 0) (i32.const 0) (local.get $body) (local.get $size)
      (local.get $headers) (local.get $length) (i32.const -1)))
    (i32.const 1))
)
