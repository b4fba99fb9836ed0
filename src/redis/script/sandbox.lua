-- The sandbox: what a script finds in place of Lua's own globals.
--
-- It takes the table of native functions and returns what the interpreter needs of it. The rules
-- are Redis's: globals and libraries cannot be changed, and reading a global that does not exist is
-- an error. Redis has a patched Lua with tables that are readonly; here a readonly table is an
-- empty proxy whose metatable leads to the true one.
--
-- Two rules are added, since a script must do the same in every process. Nothing shows an address:
-- `tostring` numbers tables and functions in the order in which it meets them. And no order depends
-- on one: keys that are tables or functions have no order, so iterating over them is refused.
--
-- Locals that are called have the names that Lua's own messages should show.

local native = ...
local raw = {}
for name, value in pairs(_G) do raw[name] = value end
local type, error, select, tonumber, next, setmetatable, getmetatable, rawget = type, error, select, tonumber, next, setmetatable, getmetatable, rawget
local coroutine = coroutine
local globals = _G

-- From a proxy to the true table and back, and from a proxy to what `getmetatable` returns for it.
local true_of, proxy_of, metatable_of = {}, {}, {}

local function refuse()
  error('Attempt to modify a readonly table', 2)
end

local function freeze(tbl)
  if proxy_of[tbl] then return proxy_of[tbl] end
  local proxy = {}
  proxy_of[tbl], true_of[proxy] = proxy, tbl
  local metatable = getmetatable(tbl)
  if metatable then metatable_of[proxy] = freeze(metatable) end
  for name, value in next, tbl do
    if type(value) == 'table' then tbl[name] = freeze(value) end
  end
  return setmetatable(proxy, { __index = tbl, __newindex = refuse })
end

-- Metatable of a table whose missing fields must not be read.
local function strict()
  return { __index = native.no_such_global }
end

-- Addresses -----------------------------------------------------------------------------------

local null = native.null
local OBJECT = { table = true, ['function'] = true, userdata = true, thread = true }
local numbers, count = setmetatable({}, { __mode = 'k' }), 0

local function has_no_order(value)
  return OBJECT[type(value)] and value ~= null
end

local function number_of(object)
  if not numbers[object] then
    count = count + 1
    numbers[object] = count
  end
  return numbers[object]
end

function globals.tostring(...)
  local value = ...
  if not OBJECT[type(value)] then
    if select('#', ...) == 0 then error("bad argument #1 to 'tostring' (value expected)", 2) end
    return raw.tostring(value)
  end
  local metatable = getmetatable(value)
  if type(metatable) == 'table' and rawget(metatable, '__tostring') ~= nil then
    return raw.tostring(value)
  end
  if value == null then return 'userdata: (nil)' end
  return raw.string.format('%s: 0x7f%010x', type(value), number_of(value) * 64)
end

local UNORDERED = 'this table has keys that are tables or functions, whose order would depend on '
  .. 'addresses: keep them in a list'

function globals.pairs(...)
  local tbl = ...
  if type(tbl) ~= 'table' then
    local got = select('#', ...) == 0 and 'no value' or type(tbl)
    error("bad argument #1 to 'pairs' (table expected, got " .. got .. ')', 2)
  end
  if true_of[tbl] then return globals.next, tbl, nil end
  for key in next, tbl do
    if has_no_order(key) then error(UNORDERED, 2) end
  end
  return next, tbl, nil
end

local function checked(key, ...)
  if has_no_order(key) then error(UNORDERED, 3) end
  return key, ...
end

function globals.next(...)
  local tbl, key = ...
  if type(tbl) ~= 'table' then
    local got = select('#', ...) == 0 and 'no value' or type(tbl)
    error("bad argument #1 to 'next' (table expected, got " .. got .. ')', 2)
  end
  return checked(next(true_of[tbl] or tbl, key))
end

-- Errors --------------------------------------------------------------------------------------

-- What a native function raises becomes a table or a text as soon as a script can see it.
local plain = native.plain_error

local function results(ok, ...)
  if ok then return true, ... end
  local problem = plain((...))
  -- A caught error table is its text, as before Redis 7.
  if type(problem) == 'table' and (type(problem.err) == 'string' or type(problem.err) == 'number') then
    problem = problem.err
  end
  return false, problem
end

-- The results of a protected call come as one table, so that their number does not matter.
local function pack(...) return { n = select('#', ...), ... } end
local function packed(f, ...) return pack(f(...)) end

local pcall, xpcall, unpack = pcall, xpcall, unpack
function globals.pcall(...)
  if type((...)) ~= 'function' then return results(pcall(...)) end
  local ok, values = pcall(packed, ...)
  if ok then return true, unpack(values, 1, values.n) end
  return results(false, values)
end

local function plain_results(ok, ...)
  if ok then return true, ... end
  return false, plain((...))
end

function globals.xpcall(...)
  local f, handler = ...
  if select('#', ...) < 2 then error("bad argument #2 to 'xpcall' (value expected)", 2) end
  local function handle(problem) return handler(plain(problem)) end
  if type(f) ~= 'function' then return plain_results(xpcall(f, handle)) end
  local ok, values = xpcall(function() return pack(f()) end, handle)
  if ok then return true, unpack(values, 1, values.n) end
  return plain_results(false, values)
end

local resume = coroutine.resume
function coroutine.resume(...)
  return plain_results(resume(...))
end

-- Functions of Lua that could change a readonly table, or see the true one ---------------------

local function guard(library, name, position)
  local original = library[name]
  library[name] = function(...)
    if true_of[(select(position, ...))] then error('Attempt to modify a readonly table', 0) end
    return original(...)
  end
end
guard(globals, 'rawset', 1)
guard(globals, 'setmetatable', 1)

-- Functions of `table` check their arguments here, so that messages show the caller's place.
local function check_table(tbl, count, name)
  if true_of[tbl] then error('Attempt to modify a readonly table', 0) end
  if type(tbl) ~= 'table' then
    local got = count == 0 and 'no value' or type(tbl)
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. got .. ')', 3)
  end
end

local function check_number(value, name)
  if not tonumber(value) then
    error("bad argument #2 to '" .. name .. "' (number expected, got " .. type(value) .. ')', 3)
  end
end

local insert, remove, sort, setn = table.insert, table.remove, table.sort, table.setn
function globals.table.insert(...)
  local tbl, position = ...
  local count = select('#', ...)
  check_table(tbl, count, 'insert')
  if count ~= 2 and count ~= 3 then error("wrong number of arguments to 'insert'", 2) end
  if count == 3 then check_number(position, 'insert') end
  return insert(...)
end
function globals.table.remove(...)
  local tbl, position = ...
  check_table(tbl, select('#', ...), 'remove')
  if position ~= nil then check_number(position, 'remove') end
  return remove(...)
end
function globals.table.sort(...)
  local tbl, less = ...
  check_table(tbl, select('#', ...), 'sort')
  if less ~= nil and type(less) ~= 'function' then
    error("bad argument #2 to 'sort' (function expected, got " .. type(less) .. ')', 2)
  end
  return sort(...)
end
function globals.table.setn(...)
  check_table((...), select('#', ...), 'setn')
  return setn(...)
end

-- Lua's limit is 8,000 results. A native function in Rust has room for a few hundred fewer.
local MOST_RESULTS = 7700
function globals.unpack(...)
  local tbl, first, last = ...
  if type(tbl) ~= 'table' then
    local got = select('#', ...) == 0 and 'no value' or type(tbl)
    error("bad argument #1 to 'unpack' (table expected, got " .. got .. ')', 2)
  end
  for position = 2, 3 do
    local value = (select(position, ...))
    if value ~= nil and not tonumber(value) then
      error("bad argument #" .. position .. " to 'unpack' (number expected, got " .. type(value) .. ')', 2)
    end
  end
  local count = (tonumber(last) or #tbl) - (tonumber(first) or 1) + 1
  if count > MOST_RESULTS then error('too many results to unpack', 2) end
  return unpack(...)
end

function globals.rawget(tbl, key)
  return rawget(true_of[tbl] or tbl, key)
end

-- The metatable of texts outlives a run, so it is frozen too: see `sandbox.lock`.
local metatable_of_texts

function globals.getmetatable(value)
  if true_of[value] then return metatable_of[value] end
  if type(value) == 'string' then return metatable_of_texts end
  return getmetatable(value)
end

local foreach = globals.table.foreach
function globals.table.foreach(tbl, f)
  for key in next, tbl do
    if has_no_order(key) then error(UNORDERED, 2) end
  end
  return foreach(tbl, f)
end

-- Compiled code is refused, since it can do what no script can.
local loadstring = loadstring
function globals.loadstring(code, name)
  if type(code) == 'string' and code:sub(1, 1) == '\27' then
    return nil, "unexpected symbol near '<\\27>'"
  end
  return loadstring(code, name or code)
end
function globals.load(f, name)
  local pieces = {}
  while true do
    local piece = f()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
  end
  return globals.loadstring(raw.table.concat(pieces), name or '=(load)')
end

for _, name in raw.ipairs { 'print', 'dofile', 'loadfile', 'debug', 'require', 'module', 'package', 'getfenv', 'setfenv', 'newproxy' } do
  globals[name] = nil
end

-- What the interpreter uses ---------------------------------------------------------------------

local sandbox = {}

-- Returns a value, and whether it is a table without any of the fields that make more of it than its
-- elements.
local function with_shape(value)
  if type(value) ~= 'table' then return value end
  return value, rawget(value, 'err') == nil and rawget(value, 'ok') == nil
    and rawget(value, 'double') == nil and rawget(value, 'big_number') == nil
    and rawget(value, 'verbatim_string') == nil and rawget(value, 'map') == nil
    and rawget(value, 'set') == nil
end

-- Calls a function. Returns whether it succeeded, and its first result with its shape or the error
-- as a table. The numbers of tables begin anew.
function sandbox.run(f, keys, args)
  if count > 0 then
    count = 0
    numbers = setmetatable({}, { __mode = 'k' })
  end
  if not keys then return xpcall(function() return with_shape((f())) end, native.error_handler) end
  return xpcall(function() return with_shape((f(keys, args))) end, native.error_handler)
end

-- Freezes all globals. Returns the table that stands for them.
function sandbox.lock()
  globals._G = globals
  setmetatable(globals, strict())
  local frozen = freeze(globals)
  local texts = getmetatable('')
  texts.__index = globals.string
  metatable_of_texts = setmetatable({}, { __index = texts, __newindex = refuse })
  true_of[metatable_of_texts] = texts
  return frozen
end

-- Freezes all globals. Returns the table that stands for them while functions run, and a function
-- that chooses what it leads to: the globals, or only the given `redis` while a library is loaded,
-- which Valkey also calls `server`.
function sandbox.lock_for_functions(api, has_server)
  local frozen = sandbox.lock()
  local visible = { redis = setmetatable(api, strict()) }
  if has_server then visible.server = api end
  local loading = freeze(setmetatable(visible, strict()))
  local own = {}
  local metatable = { __index = frozen, __newindex = refuse }
  true_of[own] = globals
  setmetatable(own, metatable)
  return own, function(on) metatable.__index = on and loading or frozen end
end

return sandbox
