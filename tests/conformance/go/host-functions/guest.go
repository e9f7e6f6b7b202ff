// A guest that calls the functions of the host that its configuration names, {"calls": ["random 8",
// "clock"]}, and answers with a line for each.
package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"sentinel-gateway/sentinel"
)

// Config is what the gateway's configuration has for this guest.
type Config struct {
	Calls []string `config:"calls,required"`
}

var calls []string

// Configure keeps the calls.
func Configure(config Config) error {
	calls = config.Calls
	return nil
}

// OnRequest makes the calls.
func OnRequest(*sentinel.Request) *sentinel.Response {
	if len(calls) == 1 && calls[0] == "print" {
		fmt.Println("called")
	}
	lines := make([]string, len(calls))
	for i, line := range calls {
		lines[i] = call(strings.Split(line, " "))
	}
	return sentinel.NewResponse(200, strings.Join(lines, "\n"))
}

func call(words []string) string {
	switch words[0] {
	case "trap":
		return trap(words[1])
	case "print":
		fmt.Println("printed", 1)
		fmt.Fprintln(os.Stderr, "complained")
		slog.Debug("2 + 3 = 5")
		return "5"
	case "clock":
		return fmt.Sprint(time.Now().UnixNano(), " ", sentinel.Elapsed().Nanoseconds())
	case "random":
		return hex.EncodeToString(sentinel.RandomBytes(number(words[1])))
	case "number":
		return fmt.Sprint(sentinel.RandomNumber())
	case "add":
		sentinel.Count(words[1], uint64(number(words[2])), labels(words[3:])...)
		return ""
	case "observe":
		value, _ := strconv.ParseFloat(words[2], 64)
		sentinel.Observe(words[1], value, labels(words[3:])...)
		return ""
	case "describe":
		sentinel.Describe(described(words))
		return ""
	case "get":
		value, found, err := sentinel.Get(words[1])
		if err == nil && !found {
			return "absent"
		}
		return told(err, fmt.Sprintf("%d bytes %x", len(value), value[:min(8, len(value))]))
	case "set":
		return told(sentinel.Set(words[1], []byte(words[2]), ttl(words[3])), "done")
	case "fill":
		return told(sentinel.Set(words[1], []byte(strings.Repeat("x", number(words[2]))), 0), "done")
	case "delete":
		found, err := sentinel.Delete(words[1])
		return told(err, fmt.Sprint(found))
	case "count":
		sum, err := sentinel.Add(words[1], int64(number(words[2])), ttl(words[3]))
		return told(err, fmt.Sprint(sum))
	case "http":
		request := sentinel.Outbound{
			Method: words[1], URL: words[2], Headers: sentinel.Headers{{Name: "X-Test", Value: "yes"}},
			Body: []byte(words[3]), Timeout: ttl(words[4]),
		}
		answer, err := request.Send()
		if err != nil {
			return told(err, "")
		}
		header, found := answer.Headers.Get("x-answer")
		if !found {
			header = "none"
		}
		return fmt.Sprint(answer.Status, " ", header, " ", string(answer.Body))
	}
	panic("no function " + words[0])
}

// described is a metric; "-" stands for an empty text.
func described(words []string) sentinel.Metric {
	metric := sentinel.Metric{Name: words[1], Help: strings.Trim(words[3], "-"), Unit: strings.Trim(words[4], "-")}
	if words[2] == "histogram" {
		metric.Kind = sentinel.Histogram
	}
	for _, word := range words[5:] {
		metric.Bounds = append(metric.Bounds, float64(number(word)))
	}
	return metric
}

//go:noinline
func trap(text string) string {
	panic(text)
}

var names = map[error]string{
	sentinel.ErrFull: "Full", sentinel.ErrTooLarge: "TooLarge", sentinel.ErrNotANumber: "NotANumber",
	sentinel.ErrUnavailable: "Unavailable", sentinel.ErrDenied: "Denied", sentinel.ErrInvalid: "Invalid",
	sentinel.ErrTooMany: "TooMany", sentinel.ErrTimeout: "Timeout", sentinel.ErrUnreachable: "Unreachable",
}

func told(err error, result string) string {
	if err != nil {
		return names[err]
	}
	return result
}

func number(word string) int {
	value, _ := strconv.Atoi(word)
	return value
}

func ttl(word string) time.Duration { return time.Duration(number(word)) * time.Millisecond }

// labels are each written name=value.
func labels(words []string) []sentinel.Label {
	made := make([]sentinel.Label, len(words))
	for i, word := range words {
		made[i].Name, made[i].Value, _ = strings.Cut(word, "=")
	}
	return made
}

func main() {}
