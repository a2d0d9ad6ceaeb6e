<?php
// A client on PHP's streams or its curl; see README.md for its arguments.
[, $lib, $url, $method, $timeout, $repeat, $interval, $size, $ca] = $argv;
set_error_handler(function ($level, $text) {
    if (!str_contains($text, 'Content-type not specified')) echo 'ERR php: ' . str_replace("\n", '\n', trim($text)) . "\n";
    return true;
});
$body = $method === 'POST' ? str_repeat('x', (int) $size) : null;
$curl = $lib === 'curl' ? curl_init() : null;
for ($n = 1; $n <= (int) $repeat; $n++) {
    if ($n > 1) usleep((int) $interval * 1000);
    if ($curl) {
        curl_setopt_array($curl, [CURLOPT_URL => $url, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT_MS => (int) $timeout, CURLOPT_FOLLOWLOCATION => true]);
        if ($body !== null) curl_setopt_array($curl, [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body]);
        if ($ca !== '-') curl_setopt($curl, CURLOPT_CAINFO, $ca);
        $got = curl_exec($curl);
        if ($got === false) {
            echo 'ERR cURL error ' . curl_errno($curl) . ': ' . curl_error($curl) . "\nREQ $n FAILED\n";
        } else {
            echo "REQ $n OK " . curl_getinfo($curl, CURLINFO_RESPONSE_CODE) . ' ' . strlen($got) . "B\n";
        }
        continue;
    }
    $http = ['method' => $method, 'timeout' => $timeout / 1000];
    if ($body !== null) $http += ['content' => $body, 'header' => 'Content-Type: text/plain'];
    $options = ['http' => $http];
    if ($ca !== '-') $options['ssl'] = ['cafile' => $ca];
    $got = file_get_contents($url, false, stream_context_create($options));
    echo $got === false ? "REQ $n FAILED\n" : "REQ $n OK " . ($http_response_header[0] ?? '-') . ' ' . strlen($got) . "B\n";
}
