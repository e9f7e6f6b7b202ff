// A guest that fails as the header field x-fault says.
package main

import (
	"log/slog"

	"sentinel-gateway/sentinel"
)

func depth(left int) int {
	var frame [1000]byte
	frame[left%len(frame)] = 1
	if left == 0 {
		return 0
	}
	return depth(left-1) + int(frame[left%len(frame)])
}

var kept [][]byte

// OnRequest fails, or marks the request.
func OnRequest(request *sentinel.Request) *sentinel.Response {
	fault, _ := request.Header("x-fault")
	switch fault {
	case "crash":
		panic("the author says why")
	case "index":
		slog.Info(fault[:len(request.Headers)+100])
	case "loop":
		for turns := 0; turns >= 0; turns = (turns + 1) % 1000 {
			continue
		}
	case "memory":
		for {
			block := make([]byte, 100_000)
			for i := range block {
				block[i] = 1
			}
			kept = append(kept, block)
		}
	case "stack":
		slog.Info("deep", "depth", depth(1_000_000_000))
	case "clock":
		slog.Info(sentinel.Now().String())
	}
	request.SetHeader("x-seen", request.Path)
	return nil
}

func main() {}
