module sentinel-gateway/sentinel

go 1.24
