"""The scripts of redis.py. Each begins with PRELUDE; all keys share a hash tag: a cluster keeps them together.

    {litellm}:state          epoch, since (ms), now (ms): the clock, which never goes back
    {litellm}:workers        living workers by the end of their leases (ms)
    {litellm}:w:WORKER       call -> `second:[nano, tokens, [money keys], [counter keys]]`; empty: given up
    {litellm}:m:SCOPE:PERIOD s spent (absent: not loaded), r reserved, l spent before that is loaded and not known to be
                             in the store
    {litellm}:c:SCOPE        p in flight, n requests and t tokens of the window, f its first second that is not taken
                             off, u the last one with a request; nSECOND and tSECOND

An epoch begins where there is none: Redis has been emptied. For its first `grace` milliseconds nothing is loaded and
nobody admitted, so that every living worker can notice, and move what it has spent to the store.

Sums are changed by HINCRBY with the strings that came: Lua's own numbers are written with 14 digits.
"""

from typing import Final

from litellm.kv.redis import Script

PRELUDE: Final = """
local function clock(given)
  local ms
  if given ~= '' then ms = tonumber(given) else
    local time = redis.call('TIME')
    ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  local before = tonumber(redis.call('HGET', '{litellm}:state', 'now') or '0')
  if ms < before then return before end
  if ms > before and redis.call('EXISTS', '{litellm}:state') == 1 then
    redis.call('HSET', '{litellm}:state', 'now', string.format('%.0f', ms))
  end
  return ms
end
local function is_young(ms, grace)
  return ms < tonumber(redis.call('HGET', '{litellm}:state', 'since')) + tonumber(grace)
end
local late = {}
local function spend(key, nano)
  if redis.call('HEXISTS', key, 's') == 1 then redis.call('HINCRBY', key, 's', nano)
  elseif tonumber(nano) ~= 0 then
    redis.call('HINCRBY', key, 'l', nano)
    redis.call('EXPIRE', key, 86400)
    late[#late + 1] = key
    late[#late + 1] = nano
  end
end
local function less(text)
  if text == '0' then return text end
  if text:sub(1, 1) == '-' then return text:sub(2) end
  return '-' .. text
end
local function move(key, now)
  local first = tonumber(redis.call('HGET', key, 'f'))
  if not first or first > now - 61 then return end
  local last = tonumber(redis.call('HGET', key, 'u') or '0')
  for second = first, math.min(last, now - 61) do
    local n, t = unpack(redis.call('HMGET', key, 'n' .. second, 't' .. second))
    if n then
      redis.call('HINCRBY', key, 'n', less(n))
      redis.call('HINCRBY', key, 't', less(t))
      redis.call('HDEL', key, 'n' .. second, 't' .. second)
    end
  end
  redis.call('HSET', key, 'f', now - 60)
end
local function settle(worker, call, nano, tokens)
  local held = redis.call('HGET', worker, call)
  if not held then return end
  redis.call('HDEL', worker, call)
  if held == '' then return end
  local second, rest = held:match('^(%d+):(.*)$')
  local taken = cjson.decode(rest)
  nano = nano or taken[1]
  for _, key in ipairs(taken[3]) do
    redis.call('HINCRBY', key, 'r', less(taken[1]))
    spend(key, nano)
  end
  for _, key in ipairs(taken[4]) do
    redis.call('HINCRBY', key, 'p', '-1')
    if tokens and redis.call('HEXISTS', key, 'n' .. second) == 1 then
      for _, field in ipairs({'t', 't' .. second}) do
        redis.call('HINCRBY', key, field, tokens)
        redis.call('HINCRBY', key, field, less(taken[2]))
      end
    end
  end
end
"""

RESERVE: Final = Script(
    PRELUDE
    + """
local given, epoch, name, call, tokens, nano, strict, held, grace = unpack(ARGV, 1, 9)
if redis.call('HGET', '{litellm}:state', 'epoch') ~= epoch then return {'epoch'} end
local ms = clock(given)
local now = math.floor(ms / 1000)
if is_young(ms, grace) then return {'grace'} end
local worker = '{litellm}:w:' .. name
local unloaded, spents = {'unloaded'}, {}
for at = 10, #ARGV, 6 do
  local spent = redis.call('HGET', ARGV[at], 's')
  if spent then spents[#spents + 1] = spent else unloaded[#unloaded + 1] = (at - 10) / 6 end
end
if #unloaded > 1 then return unloaded end
local best = {'0', '-1', '0', '-1'}
local left_n, left_t
for at = 10, #ARGV, 6 do
  local money, budget, counter, rpm, tpm, parallel = unpack(ARGV, at, at + 5)
  local scope = (at - 10) / 6
  local spent, reserved = unpack(redis.call('HMGET', money, 's', 'r'))
  local taken = tonumber(spent) + tonumber(reserved or '0')
  if taken + tonumber(nano) > 9007199254740992 then return {'large'} end
  if budget ~= '' then
    local most = tonumber(budget)
    if (strict == '1' and taken + tonumber(nano) > most) or (strict ~= '1' and taken >= most) then
      return {'refused', scope, 'budget', budget, spent, 0}
    end
  end
  if counter ~= '' then
    move(counter, now)
    local all = redis.call('HMGET', counter, 'p', 'n', 't', 'f', 'u')
    local p, n, t = tonumber(all[1] or '0'), tonumber(all[2] or '0'), tonumber(all[3] or '0')
    local function free_in(kind, excess)
      for second = tonumber(all[4] or now), tonumber(all[5] or '-1') do
        local amount = redis.call('HGET', counter, kind .. second)
        if amount then
          excess = excess - tonumber(amount)
          if excess <= 0 then return second + 61 - now end
        end
      end
      return 61
    end
    if parallel ~= '' and p >= tonumber(parallel) then
      return {'refused', scope, 'max_parallel_requests', parallel, p, 0}
    end
    if rpm ~= '' then
      local left = tonumber(rpm) - n - 1
      if left < 0 then return {'refused', scope, 'requests', rpm, n, free_in('n', -left)} end
      if not left_n or left < left_n then left_n = left; best[1] = rpm; best[2] = left end
    end
    if tpm ~= '' then
      local left = tonumber(tpm) - t - tonumber(tokens)
      if left < 0 then return {'refused', scope, 'tokens', tpm, t, free_in('t', -left)} end
      if not left_t or left < left_t then left_t = left; best[3] = tpm; best[4] = left end
    end
  end
end
if redis.call('HSETNX', worker, call, now .. ':' .. held) == 1 then
  for at = 10, #ARGV, 6 do
    redis.call('HINCRBY', ARGV[at], 'r', nano)
    redis.call('EXPIRE', ARGV[at], 86400)
    local counter = ARGV[at + 2]
    if counter ~= '' then
      redis.call('HINCRBY', counter, 'p', '1')
      for _, field in ipairs({'n', 'n' .. now}) do redis.call('HINCRBY', counter, field, '1') end
      for _, field in ipairs({'t', 't' .. now}) do redis.call('HINCRBY', counter, field, tokens) end
      redis.call('HSETNX', counter, 'f', now)
      redis.call('HSET', counter, 'u', now)
      redis.call('EXPIRE', counter, 86400)
    end
  end
end
return {'ok', now, best[1], best[2], best[3], best[4], unpack(spents)}
"""
)
"""ARGV: time, epoch, worker, call, tokens, nano, strict, held, grace; then of each scope its money key, budget,
counter key (empty: none of the following), rpm, tpm, parallel (empty: no limit)."""

SETTLE: Final = Script(
    PRELUDE
    + """
for at = 1, #ARGV, 4 do settle('{litellm}:w:' .. ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) end
return late
"""
)
"""ARGV: worker, call, nano, tokens, and so on. What was spent where no money is loaded: money key, nano, and so on."""

STORED: Final = Script(
    PRELUDE
    + """
if redis.call('HGET', '{litellm}:state', 'epoch') ~= ARGV[1] then return 0 end
for at = 2, #ARGV, 2 do
  if redis.call('HEXISTS', ARGV[at], 'l') == 1 and redis.call('HINCRBY', ARGV[at], 'l', less(ARGV[at + 1])) == 0 then
    redis.call('HDEL', ARGV[at], 'l')
  end
end
return 1
"""
)
"""What was spent where no money is loaded is in the store now: loading will find it there. ARGV: epoch; then money key,
nano, and so on."""

GIVE_UP: Final = Script(
    PRELUDE
    + """
local worker = '{litellm}:w:' .. ARGV[1]
for at = 2, #ARGV do
  if redis.call('HSETNX', worker, ARGV[at], '') == 0 then settle(worker, ARGV[at], 0, 0) end
end
return 1
"""
)
"""Calls whose reservation had no answer: one that has been taken is given back, and one that is still on its way, on a
connection that was cut, will not be taken. ARGV: worker, calls."""

LOAD: Final = Script(
    PRELUDE
    + """
local given, epoch, grace = unpack(ARGV, 1, 3)
if redis.call('HGET', '{litellm}:state', 'epoch') ~= epoch or is_young(clock(given), grace) then return 0 end
for at = 4, #ARGV, 2 do
  if redis.call('HSETNX', ARGV[at], 's', ARGV[at + 1]) == 1 then
    local late = redis.call('HGET', ARGV[at], 'l')
    if late then redis.call('HINCRBY', ARGV[at], 's', late) redis.call('HDEL', ARGV[at], 'l') end
    redis.call('EXPIRE', ARGV[at], 86400)
  end
end
return 1
"""
)
"""ARGV: time, epoch, grace; then money key, spent, and so on."""

CHARGE: Final = Script(
    PRELUDE
    + """
if redis.call('HGET', '{litellm}:state', 'epoch') ~= ARGV[1] then return {} end
for at = 2, #ARGV, 2 do
  spend(ARGV[at], ARGV[at + 1])
  redis.call('EXPIRE', ARGV[at], 86400)
end
return late
"""
)
"""What was spent without a reservation. ARGV: epoch; then money key, nano, and so on. Returns what SETTLE does."""

RENEW: Final = Script(
    PRELUDE
    + """
local given, known, name, fresh, lease = unpack(ARGV, 1, 5)
local ms = clock(given)
local text = string.format('%.0f', ms)
local state, workers, own = '{litellm}:state', '{litellm}:workers', '{litellm}:w:' .. name
if redis.call('HSETNX', state, 'epoch', fresh) == 1 then redis.call('HSET', state, 'since', text, 'now', text) end
local epoch = redis.call('HGET', state, 'epoch')
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', text)) do
  if dead ~= name then
    for _, call in ipairs(redis.call('HKEYS', '{litellm}:w:' .. dead)) do settle('{litellm}:w:' .. dead, call) end
    redis.call('ZREM', workers, dead)
  end
end
redis.call('ZADD', workers, string.format('%.0f', ms + tonumber(lease)), name)
if epoch ~= known then
  for at = 6, #ARGV, 2 do
    if redis.call('HSETNX', own, ARGV[at], ARGV[at + 1]) == 1 then
      local taken = cjson.decode(ARGV[at + 1]:match('^%d+:(.*)$'))
      for _, key in ipairs(taken[3]) do redis.call('HINCRBY', key, 'r', taken[1]) end
      for _, key in ipairs(taken[4]) do redis.call('HINCRBY', key, 'p', '1') end
    end
  end
end
return {epoch, tonumber(redis.call('HGET', state, 'since')), ms}
"""
)
"""A worker's sign of life, which settles what dead ones held, at what they reserved. ARGV: time, the epoch it knows,
worker, an epoch to begin if there is none, lease; then, for another epoch, its calls in flight: call, held, ..."""

LEAVE: Final = Script(
    PRELUDE
    + """
local own = '{litellm}:w:' .. ARGV[1]
for _, call in ipairs(redis.call('HKEYS', own)) do settle(own, call) end
redis.call('ZREM', '{litellm}:workers', ARGV[1])
return 1
"""
)
