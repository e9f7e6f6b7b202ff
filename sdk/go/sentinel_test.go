package sentinel

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"sentinel-gateway/sentinel/internal/host"
	"sentinel-gateway/sentinel/internal/wire"
)

type limits struct {
	Requests int `config:"requests" default:"10" minimum:"1" doc:"So many."`
}

type settings struct {
	Name   string            `config:"name,required"`
	Strict bool              `config:"strict"`
	Share  float64           `config:"share" default:"0.5"`
	Header HeaderName        `config:"header" default:"X-Key"`
	Tags   map[string]string `config:"tags"`
	Paths  []string          `config:"paths"`
	Small  uint8             `config:"small"`
	Limits limits            `config:"limits"`
	Edits  HeaderEdits       `config:"edits"`
}

func encoded(value any) []byte {
	switch value := value.(type) {
	case string:
		return wire.AppendString(nil, value)
	case int:
		return wire.AppendInt(nil, int64(value))
	case bool:
		return wire.AppendBool(nil, value)
	case float64:
		return wire.AppendFloat(nil, value)
	case []any:
		made := wire.AppendList(nil, len(value))
		for _, item := range value {
			made = append(made, encoded(item)...)
		}
		return made
	case map[string]any:
		made := wire.AppendMap(nil, len(value))
		for key, item := range value {
			made = append(wire.AppendString(made, key), encoded(item)...)
		}
		return made
	}
	return wire.AppendNil(nil)
}

func TestAConfigurationIsReadIntoAStruct(t *testing.T) {
	read, err := ReadConfig[settings](encoded(map[string]any{
		"name": "a", "strict": true, "share": 1, "tags": map[string]any{"x": "y"}, "paths": []any{"/a", "/b"}, "small": 255,
		"edits": map[string]any{"remove": []any{"Via"}, "set": map[string]any{"X-A": "1"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if read.Name != "a" || !read.Strict || read.Share != 1 || read.Header != "x-key" || read.Tags["x"] != "y" ||
		len(read.Paths) != 2 || read.Small != 255 || read.Edits.count != 2 {
		t.Errorf("%+v", read)
	}
	read, err = ReadConfig[settings](encoded(map[string]any{"name": "a", "limits": map[string]any{}}))
	if err != nil || read.Limits.Requests != 10 || read.Share != 0.5 {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestAConfigurationThatDoesNotFitIsNamed(t *testing.T) {
	for expected, config := range map[string]any{
		"missing key `name`":                              map[string]any{},
		"unknown key `nam`":                               map[string]any{"name": "a", "nam": "a"},
		"name: expected a string, found an integer":       map[string]any{"name": 1},
		"small: the number is too large or too small":     map[string]any{"name": "a", "small": 256},
		"limits: unknown key `x`":                         map[string]any{"name": "a", "limits": map[string]any{"x": 1}},
		"tags.*: expected a string, found an integer":     map[string]any{"name": "a", "tags": map[string]any{"secret": 1}},
		"paths[1]: expected a string, found a boolean":    map[string]any{"name": "a", "paths": []any{"", true}},
		"header: `a b` is not a header name":              map[string]any{"name": "a", "header": "a b"},
		"expected a map, found a list":                    []any{},
		"name: the string is not UTF-8":                   map[string]any{"name": "\xff"},
		"edits.set: the header `host` belongs to the gat": map[string]any{"name": "a", "edits": map[string]any{"set": map[string]any{"Host": "b"}}},
	} {
		if _, err := ReadConfig[settings](encoded(config)); err == nil || !strings.HasPrefix(err.Error(), expected) {
			t.Errorf("%v is not %q", err, expected)
		}
	}
	if _, err := ReadConfig[settings]([]byte{0x80, 0x80}); err == nil {
		t.Error("bytes after the end")
	}
	if _, err := ReadConfig[settings]([]byte{0x81}); err == nil {
		t.Error("a beginning is no configuration")
	}
}

func TestTheSchemaIsTheStructs(t *testing.T) {
	schema := Schema(func(settings) error { return nil })
	requests := schema["properties"].(map[string]any)["limits"].(map[string]any)["properties"].(map[string]any)["requests"].(map[string]any)
	if requests["type"] != "integer" || requests["default"] != int64(10) || requests["minimum"] != int64(1) ||
		requests["description"] != "So many." {
		t.Errorf("%v", requests)
	}
	if required := schema["required"].([]string); len(required) != 1 || required[0] != "name" {
		t.Errorf("%v", required)
	}
}

func TestLinesOfTheStandardLibrary(t *testing.T) {
	host.Now = host.NewState()
	slog.With("a", 1).WithGroup("g").Warn("text", "b", "c", slog.Group("h", "d", true))
	slog.Log(t.Context(), slog.LevelDebug-4, "fine")
	expected := []host.Line{{Level: levelWarn, Text: "text a=1 g.b=c g.h.d=true"}, {Level: levelTrace, Text: "fine"}}
	for i, line := range host.Now.Lines {
		if line != expected[i] {
			t.Errorf("%v is not %v", line, expected[i])
		}
	}
	if len(host.Now.Lines) != len(expected) {
		t.Errorf("%v", host.Now.Lines)
	}
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	host.Now = host.NewState()
	defer func() {
		if recover() == nil {
			t.Error("the call went on")
		}
		lines := host.Now.Lines
		if len(lines) < 3 || lines[0].Text != "panic: why" {
			t.Errorf("%v", lines)
		}
	}()
	runRequest(func(*Request) *Response { panic("why") }, record("GET", "/"))
}

func record(method, path string) []byte {
	made := wire.AppendString(wire.AppendString(wire.AppendList(nil, 10), method), path)
	made = wire.AppendList(wire.AppendNil(made), 0)
	for range 6 {
		made = wire.AppendString(made, "x")
	}
	return made
}

func TestHeaderEditsAreReadBack(t *testing.T) {
	var edits HeaderEdits
	edits.Set("A", "1")
	edits.Append("b", "2")
	edits.Remove("a")
	if _, found := edits.Get("a"); found {
		t.Error("removed")
	}
	if value, found := edits.Get("b"); value != "2" || !found {
		t.Errorf("%q", value)
	}
}

func TestTheHostsFunctions(t *testing.T) {
	host.Now = host.NewState()
	if sum, err := Add("n", 5, 0); sum != 5 || err != nil {
		t.Errorf("%d, %v", sum, err)
	}
	if err := Set("n", []byte("x"), time.Second); err != nil {
		t.Error(err)
	}
	if _, err := Add("n", 1, 0); err != ErrNotANumber {
		t.Errorf("%v", err)
	}
	if value, found, err := Get("n"); string(value) != "x" || !found || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	if found, err := Delete("n"); !found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	Count("seen", 2, Label{"a", "b"})
	Count("seen", 3)
	if host.Now.Counted["seen"] != 5 {
		t.Errorf("%v", host.Now.Counted)
	}
	Describe(Metric{Name: "seen", Kind: Counter, Help: "What was seen."})
	if host.Now.Described["seen"] != "What was seen." {
		t.Errorf("%v", host.Now.Described)
	}
	if _, err := (&Outbound{Method: "GET", URL: "http://a/"}).Send(); err != ErrUnreachable {
		t.Errorf("%v", err)
	}
}

func TestTextHelpers(t *testing.T) {
	if MediaType("Text/HTML; charset=x") != "text/html" || MediaType("a/b") != "a/b" {
		t.Error("media type")
	}
	if !EqualSecret("abc", "abc") || EqualSecret("abc", "abd") || EqualSecret("abc", "abcd") {
		t.Error("secrets")
	}
	if CheckHeaderValue("a\tb\xff") != nil || CheckHeaderValue("a\nb") == nil {
		t.Error("values")
	}
}
