-- The traffic of mix.rhai from wrk, which parses no answer and checks nothing.
local headers = {
  ["Authorization"] = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo",
}
local json = {
  ["Authorization"] = headers["Authorization"],
  ["Content-Type"] = "application/json",
}
local path = nil

function request()
  if path then
    local body = string.format('{"id":%d,"qty":1}', math.random(1, 1000000))
    local post = wrk.format("POST", path, json, body)
    path = nil
    return post
  end
  local draw = math.random(100)
  path = draw <= 50 and "/a" or draw <= 80 and "/b" or "/c"
  return wrk.format("GET", path, headers)
end
