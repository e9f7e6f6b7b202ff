// Sets, appends and removes header fields of requests and responses, as configured.
package main

import "sentinel-gateway/sentinel"

// Config is what the gateway's configuration has for this guest.
type Config struct {
	Request  sentinel.HeaderEdits `config:"request" doc:"Changes to requests."`
	Response sentinel.HeaderEdits `config:"response" doc:"Changes to responses."`
}

var config Config

// Configure keeps the changes, encoded.
func Configure(read Config) error {
	config = read
	return nil
}

// OnRequest makes the changes to requests.
func OnRequest(request *sentinel.Request) *sentinel.Response {
	request.Edits.Headers.Add(config.Request)
	return nil
}

// OnResponse makes the changes to responses.
func OnResponse(response *sentinel.IncomingResponse) *sentinel.Response {
	response.Edits.Headers.Add(config.Response)
	return nil
}

func main() {}
