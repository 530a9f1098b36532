-- wrk sends each signed request of a file once: no repetition, and nothing new once the window is over.
--
-- Arguments: the file (eight digits of length before each request) and the window in seconds. A connection whose
-- answer came after the window sends nothing more, so at the end every request sent has been answered and the ledger
-- can be exact. Runs with one thread (-t1). Prints one line of JSON.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment_t;
  int clock_gettime(int clock, moment_t *moment);
]]

local MONOTONIC = 1
local moment = ffi.new("moment_t")
local thread

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) * 1e-9
end

function setup(it)
  thread = it
end

function init(arguments)
  file = assert(io.open(arguments[1], "rb"))
  file:setvbuf("full", 1048576)
  window = tonumber(arguments[2])
  issued, idle, exhausted, asked = 0, 0, 0, false
end

function request()
  if not asked then
    -- wrk asks once before it connects, to look at the request, and does not send it.
    asked = true
    local first = file:read(tonumber(file:read(8)))
    file:seek("set", 0)
    return first
  end
  local present = now()
  deadline = deadline or present + window
  local length = present < deadline and file:read(8)
  if not length then
    if present < deadline then exhausted = exhausted + 1 end
    idle = idle + 1
    return ""
  end
  issued = issued + 1
  return file:read(tonumber(length))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"issued": %d, "idle": %d, "exhausted": %d, "answered": %d, "refused": %d, "broken": %d, ' ..
    '"p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    thread:get("issued"), thread:get("idle"), thread:get("exhausted"), summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
