-- The key layout and the steps that several scripts share; stands on top of every script.
--
-- KEYS[1] is the prefix {wg:<queue>}: . Its braces are a hash tag, so that all keys of a queue are in one cluster slot.
--   k:<key>            LIST  ids of one order key: hints and a count, '+' where only the tables know the id
--   state              HASH  key -> ready | active:<worker>:<token> | active:lease:<token> | backoff | parked | paused;
--                            absent: nothing to do. The only place of a key's state
--   ready              LIST  keys that may be taken; a key at most once
--   due                ZSET  keys in backoff, and leased keys, by the Redis time (ms) at which they become ready
--   held:<worker>      SET   keys a worker holds
--   workers            HASH  worker -> heartbeat counter
--   parked:<target>    LIST  keys that wait for their target, in order of parking
--   parkedtargets      ZSET  targets with parked keys, by when they were last reported (a count), so that all get a turn
--   crashes            HASH  key -> workers that died while they held it, since its last try that ended; absent: none
--   alone              HASH  key -> those of them that held nothing else
--   counters           HASH  depth, active, leased, parked, token, reported, clock, skew
--   paused             STRING  there: nothing is handed out
--   pausedkeys         SET   keys that are not handed out; the state turns to paused when their turn comes
--   wake               LIST  tokens for idle processes, at most 16; losing one is harmless
--   overflow           STRING  there: ids were refused, the tables know more
-- The only clock is Redis TIME plus an offset in ms. It never steps back: when TIME does, `skew` makes up for it from then
-- on, so that nothing waits longer than it was to. `clock` is when it was last looked at.
local P = KEYS[1]
local STATE, READY, DUE, WORKERS = P .. 'state', P .. 'ready', P .. 'due', P .. 'workers'
local PARKED, PARKED_TARGETS, CRASHES = P .. 'parked:', P .. 'parkedtargets', P .. 'crashes'
local ALONE, COUNTERS, PAUSED, PAUSED_KEYS = P .. 'alone', P .. 'counters', P .. 'paused', P .. 'pausedkeys'
local WAKE, OVERFLOW, IDS, HELD = P .. 'wake', P .. 'overflow', P .. 'k:', P .. 'held:'
local LEASE, UNKNOWN_ID = 'lease', '+'
-- After so many crashes a key is a suspect, and so many suspects may be in hand together: those that died together are
-- halved twice at each death, until one is in hand without another. What has to wait looks again after so many ms.
local TOGETHER, ASIDE = {false, 16, 4, 1}, 50
-- The clock's last look is written down when it is older than so many ms.
local TICK = 100
local call = redis.call

-- Whether the worker has just begun, and may take no suspect yet.
local no_suspects
-- Suspects that the worker holds, and how many it may hold because of them; nil: not known yet.
local suspects, most_suspects

local changes = {depth = 0, active = 0, leased = 0, parked = 0}

local function change(name, by)
  changes[name] = changes[name] + by
end

-- A server out of memory refuses a script whose first write may grow. One that drains must go on: its first write is this.
local function even_when_out_of_memory()
  call('HDEL', COUNTERS, '')
end

local function now_ms(offset)
  local time = call('TIME')
  local seen = call('HMGET', COUNTERS, 'skew', 'clock')
  local now = time[1] * 1000 + math.floor(time[2] / 1000) + offset + (seen[1] or 0)
  local last = tonumber(seen[2] or 0)
  if now < last then
    even_when_out_of_memory()
    call('HINCRBY', COUNTERS, 'skew', string.format('%.0f', last - now))
    return last
  end
  if now - last >= TICK then
    even_when_out_of_memory()
    call('HSET', COUNTERS, 'clock', string.format('%.0f', now))
  end
  return now
end

local function make_ready(key, front)
  call('HSET', STATE, key, 'ready')
  call(front and 'LPUSH' or 'RPUSH', READY, key)
end

local function park(key, target)
  call('HSET', STATE, key, 'parked')
  call('RPUSH', PARKED .. target, key)
  call('ZADD', PARKED_TARGETS, 'NX', 0, target)
  change('parked', 1)
end

-- At the end of every script: write the counters, and leave as many wake tokens as there are ready keys (at most 16).
local function close()
  for name, by in pairs(changes) do
    if by ~= 0 then call('HINCRBY', COUNTERS, name, by) end
  end
  local wanted = math.min(call('LLEN', READY), 16)
  if wanted == 0 or call('EXISTS', PAUSED) == 1 then
    call('DEL', WAKE)
    return
  end
  for _ = call('LLEN', WAKE) + 1, wanted do call('RPUSH', WAKE, '1') end
end

-- One result of a worker (or of a lease). Counts only while the state still carries its worker and token.
-- tried '1': it was tried, and the worker lives: it is no suspect any more.
local function settle(worker, verb, key, token, argument, tried, now)
  if call('HGET', STATE, key) ~= 'active:' .. worker .. ':' .. token then return false end
  if worker == LEASE then
    call('ZREM', DUE, key)
    change('leased', -1)
  else
    call('SREM', HELD .. worker, key)
    change('active', -1)
  end
  if verb == 'ack' or tried == '1' then
    call('HDEL', CRASHES, key)
    call('HDEL', ALONE, key)
  end
  if verb == 'ack' then
    local ids = IDS .. key
    if call('LPOP', ids) then change('depth', -1) end
    if call('EXISTS', ids) == 1 then
      make_ready(key)
    elseif argument == '1' then
      call('RPUSH', ids, UNKNOWN_ID)
      change('depth', 1)
      make_ready(key)
    else
      call('HDEL', STATE, key)
    end
  elseif verb == 'delay' then
    call('HSET', STATE, key, 'backoff')
    call('ZADD', DUE, now + argument, key)
  elseif verb == 'park' then
    park(key, argument)
  else
    make_ready(key, true)
  end
  return true
end

-- Keys whose time has come go to the front, the longest due one first.
local function promote(now, limit)
  local keys = call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, limit)
  for i = #keys, 1, -1 do
    call('ZREM', DUE, keys[i])
    if call('HGET', STATE, keys[i]) ~= 'backoff' then change('leased', -1) end
    make_ready(keys[i], true)
  end
end

-- How many suspects may be in hand together with this key; false or nil: it is none itself.
local function together(key)
  local crashes = tonumber(call('HGET', CRASHES, key) or 0)
  return TOGETHER[math.min(crashes, #TOGETHER)]
end

local function count_suspect(most)
  suspects, most_suspects = suspects + 1, math.min(most_suspects, most)
end

-- Whether a worker may take a suspect beside those that it holds.
local function may_take(worker, most)
  if no_suspects then return false end
  if suspects == nil then
    suspects, most_suspects = 0, math.huge
    for _, key in ipairs(call('SMEMBERS', HELD .. worker)) do
      local held = together(key)
      if held then count_suspect(held) end
    end
  end
  return suspects + 1 <= math.min(most, most_suspects)
end

-- Pop up to `want` keys from a list of keys in `state`; hand each out under a new token, unless it is paused.
-- With a lease the key comes back by itself at `lease_end`; else it is remembered as held.
local function hand_out(list, state, want, worker, lease_end, taken, now)
  local tries = want + 100
  while want > 0 and tries > 0 do
    tries = tries - 1
    local key = call('LPOP', list)
    if not key then return end
    if call('HGET', STATE, key) == state then
      if state == 'parked' then change('parked', -1) end
      local suspect = worker ~= LEASE and together(key)
      if call('SISMEMBER', PAUSED_KEYS, key) == 1 then
        call('HSET', STATE, key, 'paused')
      elseif suspect and not may_take(worker, suspect) then
        call('HSET', STATE, key, 'backoff')
        call('ZADD', DUE, now + ASIDE, key)
      else
        local token = call('HINCRBY', COUNTERS, 'token', 1)
        if token == 1 then
          -- Begin at the time, so that no token comes twice when the data were lost.
          local time = call('TIME')
          token = call('HINCRBY', COUNTERS, 'token', string.format('%.0f', time[1] * 1000000 + time[2]))
        end
        token = string.format('%.0f', token)
        call('HSET', STATE, key, 'active:' .. worker .. ':' .. token)
        if worker == LEASE then
          call('ZADD', DUE, lease_end, key)
          change('leased', 1)
        else
          call('SADD', HELD .. worker, key)
          change('active', 1)
        end
        local crashes = tonumber(call('HGET', CRASHES, key) or 0)
        local alone = tonumber(call('HGET', ALONE, key) or 0)
        taken[#taken + 1] = {key, call('LINDEX', IDS .. key, 0) or '', token, crashes, alone}
        want = want - 1
        if suspect then count_suspect(suspect) end
      end
    end
  end
end

-- Milliseconds until the next key is due, -1 when none is.
local function next_due(now)
  local first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  if not first[1] then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end
