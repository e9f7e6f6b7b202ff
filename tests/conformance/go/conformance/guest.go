// A guest that has every hook and does what its configuration says: {"hook": "on-request", "ops":
// [[...], ...]}. The hook before a chunk hook asks for the body as "body": ["stream"] or ["buffer",
// 1024] says. The vectors drive it, and the guests in other languages beside it, and expect the
// same bytes of all.
package main

import (
	"fmt"
	"log/slog"
	"strings"

	"sentinel-gateway/sentinel"
)

// values is any list, which this guest reads by itself.
type values []sentinel.Value

// ReadConfig is a sentinel.ConfigReader's.
func (v *values) ReadConfig(value sentinel.Value) (err error) {
	*v, err = value.List()
	return err
}

// ConfigSchema is a sentinel.ConfigReader's.
func (*values) ConfigSchema() map[string]any { return map[string]any{"type": "array"} }

// Config is what the gateway's configuration has for this guest.
type Config struct {
	Hook string   `config:"hook"`
	Ops  []values `config:"ops"`
	Body values   `config:"body"`
}

var config Config

// Configure keeps the configuration.
func Configure(read Config) error {
	config = read
	return nil
}

func (v values) text(at int) string {
	text, _ := v[at].Text()
	return text
}

func (v values) int(at int) int {
	number, _ := v[at].Int()
	return int(number)
}

func (v values) lists(at int) []values {
	items, _ := v[at].List()
	found := make([]values, len(items))
	for i, item := range items {
		found[i], _ = item.List()
	}
	return found
}

func opsOf(hook string) []values {
	if config.Hook == hook {
		return config.Ops
	}
	return nil
}

func bodyOf(mode values) sentinel.Body {
	switch mode.text(0) {
	case "skip":
		return sentinel.Body{}
	case "stream":
		return sentinel.StreamBody()
	}
	return sentinel.BufferBody(uint32(mode.int(1)))
}

func responseOf(op values) *sentinel.Response {
	response := sentinel.NewResponse(op.int(1), op.text(3))
	for _, header := range op.lists(2) {
		response.WithHeader(header.text(0), header.text(1))
	}
	return response
}

func editHeaders(edits *sentinel.HeaderEdits, op values) bool {
	switch op.text(0) {
	case "set":
		edits.Set(op.text(1), op.text(2))
	case "append":
		edits.Append(op.text(1), op.text(2))
	case "remove":
		edits.Remove(op.text(1))
	default:
		return false
	}
	return true
}

func editRequest(edits *sentinel.RequestEdits, op values) {
	if editHeaders(&edits.Headers, op) {
		return
	}
	switch op.text(0) {
	case "path":
		edits.SetPath(op.text(1))
	case "query":
		edits.SetQuery(op.text(1))
	case "method":
		edits.SetMethod(op.text(1))
	case "upstream":
		edits.SetUpstream(op.text(1))
	default:
		panic("unknown operation " + op.text(0))
	}
}

func editResponse(edits *sentinel.ResponseEdits, op values) {
	if !editHeaders(&edits.Headers, op) {
		edits.Status = op.int(1)
	}
}

// dump is lines of text that show a record.
type dump []string

func escaped(data string) string {
	var text strings.Builder
	for i := range len(data) {
		if at := data[i]; at >= 0x20 && at <= 0x7e && at != '\\' {
			text.WriteByte(at)
		} else {
			fmt.Fprintf(&text, "\\x%02x", at)
		}
	}
	return text.String()
}

func (d *dump) add(name string, value any) { *d = append(*d, name+"="+escaped(fmt.Sprint(value))) }

func (d *dump) headers(headers sentinel.Headers) {
	for _, header := range headers {
		*d = append(*d, "header="+header.Name+": "+escaped(header.Value))
	}
}

func (d dump) response() *sentinel.Response { return sentinel.NewResponse(200, strings.Join(d, "\n")) }

var origins = []string{"upstream", "guest", "gateway"}
var outcomes = []string{"completed", "client-aborted", "upstream-aborted", "gateway-aborted"}

// OnRequest does what the configuration says.
func OnRequest(request *sentinel.Request) (response *sentinel.Response) {
	if config.Hook == "on-request-chunk" && len(config.Body) > 0 {
		request.Edits.Body = bodyOf(config.Body)
	}
	for _, op := range opsOf("on-request") {
		switch op.text(0) {
		case "context":
			request.Edits.Context = []byte(op.text(1))
		case "body":
			request.Edits.Body = bodyOf(op[1:])
		case "respond":
			response = responseOf(op)
		case "dump":
			response = dumpRequest(request).response()
		default:
			editRequest(&request.Edits, op)
		}
	}
	return response
}

func dumpRequest(request *sentinel.Request) (lines dump) {
	lines.add("method", request.Method)
	lines.add("path", request.Path)
	if request.HasQuery {
		lines.add("query", request.Query)
	}
	lines.headers(request.Headers)
	lines.add("scheme", request.Scheme)
	lines.add("authority", request.Authority)
	lines.add("client", request.Client)
	lines.add("request-id", request.ID)
	lines.add("route", request.Route)
	lines.add("http-version", request.HTTPVersion)
	if shown := request.ClientCertificate; shown != nil {
		lines.add("client-certificate",
			fmt.Sprintf("%s %s %s %t", shown.Subject, strings.Join(shown.Names, ","), shown.SHA256, shown.Verified))
	}
	return lines
}

// OnResponse does what the configuration says.
func OnResponse(incoming *sentinel.IncomingResponse) (response *sentinel.Response) {
	if config.Hook == "on-response-chunk" && len(config.Body) > 0 {
		incoming.Edits.Body = bodyOf(config.Body)
	}
	for _, op := range opsOf("on-response") {
		switch op.text(0) {
		case "body":
			incoming.Edits.Body = bodyOf(op[1:])
		case "respond":
			response = responseOf(op)
		case "dump":
			var lines dump
			lines.add("status", incoming.Status)
			lines.headers(incoming.Headers)
			lines.add("origin", origins[incoming.Origin])
			lines.add("context", string(incoming.Context))
			response = lines.response()
		default:
			editResponse(&incoming.Edits, op)
		}
	}
	return response
}

// OnComplete logs what it is given.
func OnComplete(summary *sentinel.Summary) {
	if len(opsOf("on-complete")) == 0 {
		return
	}
	var lines dump
	lines.add("request-id", summary.ID)
	lines.add("method", summary.Method)
	lines.add("path", summary.Path)
	if summary.HasQuery {
		lines.add("query", summary.Query)
	}
	lines.add("route", summary.Route)
	lines.add("authority", summary.Authority)
	lines.add("client", summary.Client)
	lines.add("http-version", summary.HTTPVersion)
	lines.add("started-at", summary.Started.UnixMicro())
	lines.add("duration", summary.Duration.Microseconds())
	lines.add("status", summary.Status)
	lines.add("request-bytes", summary.RequestBytes)
	lines.add("response-bytes", summary.ResponseBytes)
	lines.add("outcome", outcomes[summary.Outcome])
	lines.add("origin", origins[summary.Origin])
	if summary.Upstream != "" {
		lines.add("upstream", summary.Upstream)
	}
	if summary.UpstreamDuration >= 0 {
		lines.add("upstream-duration", summary.UpstreamDuration.Microseconds())
	}
	if summary.Endpoint != "" {
		lines.add("endpoint", summary.Endpoint)
	}
	lines.add("tries", summary.Tries)
	lines.add("context", string(summary.Context))
	slog.Info(strings.Join(lines, "\n"))
}

// OnRequestChunk does what the configuration says.
func OnRequestChunk(chunk *sentinel.RequestChunk) (response *sentinel.Response) {
	for _, op := range opsOf("on-request-chunk") {
		switch op.text(0) {
		case "replace":
			chunk.Replace([]byte(op.text(1)))
		case "respond":
			response = responseOf(op)
		default:
			for _, edit := range op.lists(1) {
				editRequest(&chunk.Head, edit)
			}
			if text, err := op[2].Text(); err == nil {
				chunk.Replace([]byte(text))
			}
		}
	}
	return response
}

// OnResponseChunk does what the configuration says.
func OnResponseChunk(chunk *sentinel.ResponseChunk) (response *sentinel.Response) {
	for _, op := range opsOf("on-response-chunk") {
		switch op.text(0) {
		case "replace":
			chunk.Replace([]byte(op.text(1)))
		case "respond":
			response = responseOf(op)
		default:
			for _, edit := range op.lists(1) {
				editResponse(&chunk.Head, edit)
			}
			if text, err := op[2].Text(); err == nil {
				chunk.Replace([]byte(text))
			}
		}
	}
	return response
}

func main() {}
