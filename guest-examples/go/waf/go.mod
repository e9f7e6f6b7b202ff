module waf

go 1.24.6

require (
	github.com/corazawaf/libinjection-go v0.3.3
	sentinel-gateway/sentinel v0.0.0
)

replace sentinel-gateway/sentinel => ./.sentinel/go
