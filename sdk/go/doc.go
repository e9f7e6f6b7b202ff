// Package sentinel is what guests of the Sentinel gateway are written with.
//
// A guest is a package main whose functions are the hooks that the gateway calls, and only those:
//
//	func Configure(config Config) error                                  // Config is a struct of yours
//	func OnRequest(request *sentinel.Request) *sentinel.Response         // nil goes on, with the edits
//	func OnResponse(response *sentinel.IncomingResponse) *sentinel.Response
//	func OnComplete(summary *sentinel.Summary)
//	func OnRequestChunk(chunk *sentinel.RequestChunk) *sentinel.Response
//	func OnResponseChunk(chunk *sentinel.ResponseChunk) *sentinel.Response
//
// `sentinel build` exports those that are there. log/slog, log and fmt write to the gateway's log.
// A panic is logged with its stack, and the request fails as the gateway's on_failure says.
//
// An instance makes one call at a time, and several instances serve: what later hooks of one
// request need goes into its context, never into variables.
package sentinel
