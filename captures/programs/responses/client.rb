# Asks for every response of responses.py with Ruby's Net::HTTP: client.rb BASE COUNT.
require 'json'
require 'net/http'
base, count = ARGV

def told(error)
  lines = []
  while error
    text = error.message.dup.force_encoding('BINARY').encode('UTF-8', invalid: :replace, undef: :replace)
    lines << "#{error.class}: #{text}"
    error = error.cause
  end
  lines
end

count.to_i.times do |i|
  at = URI(base + i.to_s)
  begin
    http = Net::HTTP.new(at.host, at.port, nil)
    http.open_timeout = http.read_timeout = 4
    http.max_retries = 0
    it = http.start { http.request(Net::HTTP::Get.new(at)) }
    puts({ i: i, ok: [it.code, (it.body || '').size], lines: [] }.to_json)
  rescue StandardError, Timeout::Error => e
    puts({ i: i, ok: nil, lines: told(e) }.to_json)
  end
  $stdout.flush
end
