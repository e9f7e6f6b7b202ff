//go:build !wasip1

// Package sentineltest is for unit tests of guests: `go test` runs them natively, with stand-ins
// for the gateway.
package sentineltest

import (
	"time"

	"sentinel-gateway/sentinel"
	"sentinel-gateway/sentinel/internal/host"
	"sentinel-gateway/sentinel/internal/wire"
)

// Request is a request over HTTP/1.1 from 192.0.2.1. What earlier tests did to the stand-ins is
// forgotten.
func Request(method, path string, headers ...sentinel.Header) *sentinel.Request {
	host.Now = host.NewState()
	return &sentinel.Request{
		Method: method, Path: path, Headers: headers, Scheme: "http", Authority: "test", Client: "192.0.2.1",
		ID: "r-1", Route: "/", HTTPVersion: "1.1",
	}
}

// Response is a 200 of the upstream.
func Response(headers ...sentinel.Header) *sentinel.IncomingResponse {
	return &sentinel.IncomingResponse{Status: 200, Headers: headers}
}

// Lines are those that were logged.
func Lines() []string {
	lines := make([]string, len(host.Now.Lines))
	for i, line := range host.Now.Lines {
		lines[i] = line.Text
	}
	return lines
}

// SetClock sets the time of day.
func SetClock(now time.Time) { host.Now.WallNow = uint64(now.UnixNano()) }

// Counted is the sum of what was counted for a metric, whatever the labels.
func Counted(name string) uint64 { return host.Now.Counted[name] }

// Described is the help text that describes a metric; empty when nothing does.
func Described(name string) string { return host.Now.Described[name] }

// SetService answers what the guest asks; nil is that the service cannot be reached.
func SetService(service func(method, url string, body []byte) *sentinel.Response) {
	host.Now.Service = func(request []byte) ([]byte, int) {
		const unreachable = 4
		reader := wire.NewReader(request)
		fields := reader.List()
		method, url, body := reader.String(), reader.String(), []byte(nil)
		if fields > 2 {
			reader.Skip()
		}
		if fields > 3 {
			body = reader.Binary()
		}
		response := service(method, url, body)
		if response == nil {
			return nil, unreachable
		}
		made := wire.AppendList(wire.AppendUint(wire.AppendList(nil, 3), uint64(response.Status)), len(response.Headers))
		for _, header := range response.Headers {
			made = wire.AppendBinary(wire.AppendString(append(made, 0x92), header.Name), header.Value)
		}
		return wire.AppendBinary(made, response.Body), -1
	}
}
