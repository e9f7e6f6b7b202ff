module api-key-auth

go 1.24

require sentinel-gateway/sentinel v0.0.0

replace sentinel-gateway/sentinel => ./.sentinel/go
