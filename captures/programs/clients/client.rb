# A client on one of Ruby's libraries; see README.md for its arguments.
require 'net/http'
require 'openssl'
lib, url, method, timeout, repeat, interval, size, ca = ARGV
timeout = timeout.to_f / 1000
ca = nil if ca == '-'
body = method == 'POST' ? 'x' * size.to_i : nil
at = URI(url)

def told(error)
  while error
    puts "ERR #{error.class}: #{error.message.gsub("\n", '\n')}"
    error = error.cause
  end
end

once =
  case lib
  when 'net-http'
    http = Net::HTTP.new(at.host, at.port, nil)
    http.use_ssl = at.scheme == 'https'
    http.ca_file = ca if ca
    http.open_timeout = http.read_timeout = http.write_timeout = timeout
    http.max_retries = 0 if ENV['NO_RETRY']
    begin
      http.start if at.scheme # opened once, as a program that keeps its connection does
    rescue StandardError => e
      told(e)
      puts 'REQ 1 FAILED'
      exit
    end
    lambda {
      request = (method == 'POST' ? Net::HTTP::Post : Net::HTTP::Get).new(at)
      request.body = body if body
      it = http.request(request)
      [it.code, (it.body || '').size]
    }
  when 'open-uri'
    require 'open-uri'
    -> { it = URI.open(url, open_timeout: timeout, read_timeout: timeout, **(ca ? { ssl_ca_cert: ca } : {})); [it.status[0], it.read.size] }
  when 'excon'
    require 'excon'
    client = Excon.new("#{at.scheme}://#{at.host}:#{at.port}", persistent: true, connect_timeout: timeout, read_timeout: timeout, write_timeout: timeout, ssl_ca_file: ca)
    -> { it = client.request(method: method, path: at.path, body: body); [it.status, it.body.size] }
  when 'faraday'
    require 'faraday'
    client = Faraday.new(request: { timeout: timeout }, ssl: { ca_file: ca })
    -> { it = client.run_request(method.downcase.to_sym, url, body, {}); [it.status, it.body.size] }
  when 'httpclient'
    require 'httpclient'
    client = HTTPClient.new
    client.connect_timeout = client.receive_timeout = client.send_timeout = timeout
    client.ssl_config.clear_cert_store if ca
    client.ssl_config.add_trust_ca(ca) if ca
    -> { it = client.request(method, url, nil, body); [it.status, it.body.size] }
  when 'rest-client'
    require 'rest-client'
    -> { it = RestClient::Request.execute(method: method.downcase.to_sym, url: url, payload: body, timeout: timeout, ssl_ca_file: ca); [it.code, it.body.size] }
  end

(1..repeat.to_i).each do |n|
  sleep interval.to_f / 1000 if n > 1
  begin
    status, got = once.call
    puts "REQ #{n} OK #{status} #{got}B"
  rescue StandardError, Timeout::Error => e
    told(e)
    puts "REQ #{n} FAILED"
  end
end
