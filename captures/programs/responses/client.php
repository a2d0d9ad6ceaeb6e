<?php
// Asks for every response of responses.py with PHP's streams or its curl: client.php LIBRARY BASE COUNT.
[, $library, $base, $count] = $argv;
$lines = [];
set_error_handler(function ($level, $text) use (&$lines) {
    if (!str_contains($text, 'Content-type not specified')) $lines[] = trim($text);
    return true;
});
for ($i = 0; $i < (int) $count; $i++) {
    $lines = [];
    if ($library === 'curl') {
        $curl = curl_init();
        curl_setopt_array($curl, [CURLOPT_URL => $base . $i, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT_MS => 4000]);
        $got = curl_exec($curl);
        $ok = $got === false ? null : [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), strlen($got)];
        if ($got === false) $lines[] = curl_errno($curl) . ' ' . curl_error($curl);
    } else {
        $got = file_get_contents($base . $i, false, stream_context_create(['http' => ['timeout' => 4]]));
        $ok = $got === false ? null : [0, strlen($got)];
    }
    echo json_encode(['i' => $i, 'ok' => $ok, 'lines' => $lines], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
