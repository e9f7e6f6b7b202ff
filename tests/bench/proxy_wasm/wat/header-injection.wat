;; Sets a header field of requests, and one of responses: names and values are the words of the
;; configuration.
(module
;;@common
;;@words

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $reset)
    (drop (call $set_header (i32.const 0) (i32.load (i32.const 1032)) (i32.load (i32.const 1036))
      (i32.load (i32.const 1040)) (i32.load (i32.const 1044))))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (if (i32.load (i32.const 1052))
      (then
        (call $reset)
        (drop (call $set_header (i32.const 2) (i32.load (i32.const 1048)) (i32.load (i32.const 1052))
          (i32.load (i32.const 1056)) (i32.load (i32.const 1060))))))
    (i32.const 0))
)
