-- With a number for an argument, requests go to the paths /r1, /r2 and so on up to it, in turn.
init = function(args)
  local turns, number = tonumber(args[1]), 0
  if turns then
    request = function()
      number = number % turns + 1
      return wrk.format("GET", "/r" .. number)
    end
  end
end

-- The last line of wrk's output as JSON; times in microseconds.
done = function(summary, latency, requests)
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.timeout, summary.errors.status))
end
