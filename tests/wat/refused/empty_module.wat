;; Nothing at all.
;; expect: exports no hook of sentinel:gateway
(module
)
