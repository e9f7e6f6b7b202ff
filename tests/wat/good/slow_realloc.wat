;; Works for some 5 ms in cabi_realloc, then logs the record that it got, of each hook.
(module $slow_realloc
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $left i32)
    (local.set $left (i32.const 20000000))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (i32.const 4096))
  (func $nil (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i32.store (i32.const 20) (i32.const 0))
    (i32.const 16))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $log (i32.const 2) (local.get 0) (local.get 1))
    (call $nil))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (call $log (i32.const 2) (local.get 0) (local.get 1))))
