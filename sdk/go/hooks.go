package sentinel

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"sentinel-gateway/sentinel/internal/host"
	"sentinel-gateway/sentinel/internal/wire"
)

// The functions whose names begin with Run are called by what `sentinel build` adds to a guest;
// authors write hooks.

// nothing is "go on, no change".
var nothing = []byte{0xc0}

// answer is used again by each call: the host has copied it before the next one.
var answer []byte

// fail writes a line to the log and ends the call: the instance is not used again.
func fail(format string, arguments ...any) {
	host.Log(levelError, fmt.Sprintf(format, arguments...))
	host.End()
}

// logPanic shows a panic with the author's lines, and ends the call.
func logPanic() {
	if problem := recover(); problem != nil {
		host.Log(levelError, fmt.Sprintf("panic: %v", problem))
		for _, line := range strings.Split(strings.TrimSpace(string(debug.Stack())), "\n") {
			host.Log(levelError, line)
		}
		host.End()
	}
}

func check(reader *wire.Reader, what string) {
	if reader.Failed {
		fail("the host's %s is not what the contract says", what)
	}
}

// The fields that every request-head has.
const requestFields = 10

func readCertificate(reader *wire.Reader) *ClientCertificate {
	if reader.Nil() {
		return nil
	}
	reader.List()
	certificate := &ClientCertificate{Subject: reader.String()}
	for left := reader.List(); left > 0; left-- {
		certificate.Names = append(certificate.Names, reader.String())
	}
	certificate.SHA256, certificate.Verified = reader.String(), reader.Bool()
	return certificate
}

// RunRequest calls an on-request hook.
func RunRequest(hook func(*Request) *Response, at, size uint32) uint32 {
	return host.Area(runRequest(hook, host.Taken(at, size)))
}

func runRequest(hook func(*Request) *Response, head []byte) []byte {
	defer logPanic()
	reader := wire.NewReader(head)
	count := reader.List()
	request := &Request{Method: reader.String(), Path: reader.String()}
	request.Query, request.HasQuery = reader.Optional()
	request.Headers = readHeaders(&reader)
	request.Scheme, request.Authority, request.Client = reader.String(), reader.String(), reader.String()
	request.ID, request.Route, request.HTTPVersion = reader.String(), reader.String(), reader.String()
	if count > requestFields {
		request.ClientCertificate = readCertificate(&reader)
	}
	check(&reader, "request-head")
	response := hook(request)
	fields := request.Edits.fields()
	switch {
	case response != nil && len(request.Edits.Context) > 0:
		answer = response.append(append(answer[:0], 0x92, 1, 0x92))
		answer = wire.AppendBinary(answer, request.Edits.Context)
	case response != nil:
		answer = response.append(append(answer[:0], 0x92, 1, 0x91))
	case fields == 0:
		return nothing
	default:
		answer = request.Edits.append(append(answer[:0], 0x92, 0), fields)
	}
	return answer
}

// RunResponse calls an on-response hook.
func RunResponse(hook func(*IncomingResponse) *Response, at, size, context, contextSize uint32) uint32 {
	return host.Area(runResponse(hook, host.Taken(at, size), host.Taken(context, contextSize)))
}

func runResponse(hook func(*IncomingResponse) *Response, head, context []byte) []byte {
	defer logPanic()
	reader := wire.NewReader(head)
	reader.List()
	incoming := &IncomingResponse{Status: int(reader.Uint()), Headers: readHeaders(&reader)}
	incoming.Origin, incoming.Context = Origin(reader.Uint()), context
	check(&reader, "response-head")
	response := hook(incoming)
	fields := incoming.Edits.fields()
	switch {
	case response != nil:
		answer = response.append(append(answer[:0], 0x92, 1))
	case fields == 0:
		return nothing
	default:
		answer = incoming.Edits.append(append(answer[:0], 0x92, 0), fields)
	}
	return answer
}

// RunComplete calls an on-complete hook.
func RunComplete(hook func(*Summary), at, size, context, contextSize uint32) {
	runComplete(hook, host.Taken(at, size), host.Taken(context, contextSize))
}

func runComplete(hook func(*Summary), data, context []byte) {
	defer logPanic()
	reader := wire.NewReader(data)
	fields := reader.List()
	summary := &Summary{ID: reader.String(), Method: reader.String(), Path: reader.String(), Context: context}
	summary.Query, summary.HasQuery = reader.Optional()
	summary.Route, summary.Authority, summary.Client = reader.String(), reader.String(), reader.String()
	summary.HTTPVersion = reader.String()
	summary.Started = time.UnixMicro(int64(reader.Uint())).UTC()
	summary.Duration = time.Duration(reader.Uint()) * time.Microsecond
	summary.Status = int(reader.Uint())
	summary.RequestBytes, summary.ResponseBytes = reader.Uint(), reader.Uint()
	summary.Outcome, summary.Origin = Outcome(reader.Uint()), Origin(reader.Uint())
	summary.UpstreamDuration = -1
	if fields > 15 {
		summary.Upstream, _ = reader.Optional()
	}
	if fields > 16 && !reader.Nil() {
		summary.UpstreamDuration = time.Duration(reader.Uint()) * time.Microsecond
	}
	if fields > 17 {
		summary.Endpoint, _ = reader.Optional()
	}
	if fields > 18 {
		summary.Tries = int(reader.Uint())
	}
	check(&reader, "summary")
	hook(summary)
}

// RunRequestChunk calls an on-request-chunk hook.
func RunRequestChunk(hook func(*RequestChunk) *Response, at, size, last, context, contextSize uint32) uint32 {
	return host.Area(runRequestChunk(hook, host.Taken(at, size), last != 0, host.Taken(context, contextSize)))
}

func runRequestChunk(hook func(*RequestChunk) *Response, data []byte, last bool, context []byte) []byte {
	defer logPanic()
	chunk := &RequestChunk{Chunk: Chunk{Bytes: data, IsLast: last, Context: context}}
	response := hook(chunk)
	fields := chunk.Head.fields()
	if response != nil || fields == 0 {
		return chunk.plainAnswer(response)
	}
	answer = chunk.Head.append(chunk.beginEditHead(), fields)
	return chunk.endEditHead()
}

// RunResponseChunk calls an on-response-chunk hook.
func RunResponseChunk(hook func(*ResponseChunk) *Response, at, size, last, context, contextSize uint32) uint32 {
	return host.Area(runResponseChunk(hook, host.Taken(at, size), last != 0, host.Taken(context, contextSize)))
}

func runResponseChunk(hook func(*ResponseChunk) *Response, data []byte, last bool, context []byte) []byte {
	defer logPanic()
	chunk := &ResponseChunk{Chunk: Chunk{Bytes: data, IsLast: last, Context: context}}
	response := hook(chunk)
	fields := chunk.Head.fields()
	if response != nil || fields == 0 {
		return chunk.plainAnswer(response)
	}
	answer = chunk.Head.append(chunk.beginEditHead(), fields)
	return chunk.endEditHead()
}

// plainAnswer is the answer to a chunk whose head is not edited.
func (c *Chunk) plainAnswer(response *Response) []byte {
	switch {
	case response != nil:
		answer = response.append(append(answer[:0], 0x92, 1))
	case c.isReplaced:
		answer = wire.AppendBinary(append(answer[:0], 0x92, 0), c.replacement)
	default:
		return nothing
	}
	return answer
}

func (c *Chunk) beginEditHead() []byte {
	if c.isReplaced {
		return append(answer[:0], 0x92, 2, 0x92)
	}
	return append(answer[:0], 0x92, 2, 0x91)
}

func (c *Chunk) endEditHead() []byte {
	if c.isReplaced {
		answer = wire.AppendBinary(answer, c.replacement)
	}
	return answer
}
