// A client on one of Java's libraries; see README.md for its arguments.
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.*;

public class Client {
    interface Once { String ask() throws Exception; }

    static void told(Throwable error) {
        for (Throwable it = error; it != null; it = it.getCause())
            System.out.println("ERR " + it.toString().replace("\n", "\\n"));
    }

    static X509TrustManager trust;

    static SSLContext trusting(String ca) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = new FileInputStream(ca)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        trust = (X509TrustManager) factory.getTrustManagers()[0];
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] a) throws Exception {
        String lib = a[0], url = a[1], method = a[2];
        int timeout = Integer.parseInt(a[3]), repeat = Integer.parseInt(a[4]), interval = Integer.parseInt(a[5]);
        byte[] body = new byte[Integer.parseInt(a[6])];
        java.util.Arrays.fill(body, (byte) 'x');
        boolean post = method.equals("POST");
        SSLContext tls = a[7].equals("-") ? SSLContext.getDefault() : trusting(a[7]);
        Once once;
        switch (lib) {
            case "urlconn":
                HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSocketFactory());
                once = () -> {
                    HttpURLConnection it = (HttpURLConnection) new URL(url).openConnection();
                    it.setConnectTimeout(timeout);
                    it.setReadTimeout(timeout);
                    if (post) {
                        it.setRequestMethod("POST");
                        it.setDoOutput(true);
                        it.setFixedLengthStreamingMode(body.length);
                        try (OutputStream out = it.getOutputStream()) { out.write(body); }
                    }
                    int status = it.getResponseCode();
                    InputStream in = status >= 400 ? it.getErrorStream() : it.getInputStream();
                    return status + " " + (in == null ? 0 : in.readAllBytes().length);
                };
                break;
            case "urlconn-stream": // as most programs do: getInputStream alone, which fails for statuses of 400 and more
                HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSocketFactory());
                once = () -> {
                    URLConnection it = new URL(url).openConnection();
                    it.setConnectTimeout(timeout);
                    it.setReadTimeout(timeout);
                    return "- " + it.getInputStream().readAllBytes().length;
                };
                break;
            case "httpclient": {
                HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofMillis(timeout)).sslContext(tls).build();
                once = () -> {
                    HttpRequest.Builder it = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofMillis(timeout));
                    it = post ? it.POST(HttpRequest.BodyPublishers.ofByteArray(body)) : it.GET();
                    HttpResponse<byte[]> got = client.send(it.build(), HttpResponse.BodyHandlers.ofByteArray());
                    return got.statusCode() + " " + got.body().length;
                };
                break;
            }
            case "apache4": once = apache4(url, post ? body : null, timeout, tls); break;
            case "apache5": once = apache5(url, post ? body : null, timeout, tls); break;
            case "okhttp": once = okhttp(url, post ? body : null, timeout, a[7].equals("-") ? null : tls); break;
            default: throw new IllegalArgumentException(lib);
        }
        for (int n = 1; n <= repeat; n++) {
            if (n > 1) Thread.sleep(interval);
            try {
                System.out.println("REQ " + n + " OK " + once.ask() + "B");
            } catch (Throwable error) {
                told(error);
                System.out.println("REQ " + n + " FAILED");
            }
        }
        System.exit(0);
    }

    static Once apache4(String url, byte[] body, int timeout, SSLContext tls) {
        org.apache.http.client.config.RequestConfig config = org.apache.http.client.config.RequestConfig.custom().setConnectTimeout(timeout).setSocketTimeout(timeout).build();
        org.apache.http.impl.client.CloseableHttpClient client = org.apache.http.impl.client.HttpClients.custom().setDefaultRequestConfig(config).setSSLContext(tls).build();
        return () -> {
            org.apache.http.client.methods.HttpUriRequest it;
            if (body == null) it = new org.apache.http.client.methods.HttpGet(url);
            else {
                org.apache.http.client.methods.HttpPost sent = new org.apache.http.client.methods.HttpPost(url);
                sent.setEntity(new org.apache.http.entity.ByteArrayEntity(body));
                it = sent;
            }
            try (org.apache.http.client.methods.CloseableHttpResponse got = client.execute(it)) {
                byte[] read = got.getEntity() == null ? new byte[0] : org.apache.http.util.EntityUtils.toByteArray(got.getEntity());
                return got.getStatusLine().getStatusCode() + " " + read.length;
            }
        };
    }

    static Once apache5(String url, byte[] body, int timeout, SSLContext tls) {
        org.apache.hc.client5.http.config.ConnectionConfig connection = org.apache.hc.client5.http.config.ConnectionConfig.custom().setConnectTimeout(timeout, TimeUnit.MILLISECONDS).setSocketTimeout(timeout, TimeUnit.MILLISECONDS).build();
        org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManager pool = org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder.create()
            .setSSLSocketFactory(new org.apache.hc.client5.http.ssl.SSLConnectionSocketFactory(tls)).setDefaultConnectionConfig(connection).build();
        org.apache.hc.client5.http.impl.classic.CloseableHttpClient client = org.apache.hc.client5.http.impl.classic.HttpClients.custom().setConnectionManager(pool).build();
        return () -> {
            org.apache.hc.client5.http.classic.methods.HttpUriRequestBase it = body == null ? new org.apache.hc.client5.http.classic.methods.HttpGet(url) : new org.apache.hc.client5.http.classic.methods.HttpPost(url);
            if (body != null) it.setEntity(new org.apache.hc.core5.http.io.entity.ByteArrayEntity(body, org.apache.hc.core5.http.ContentType.TEXT_PLAIN));
            return client.execute(it, got -> {
                byte[] read = got.getEntity() == null ? new byte[0] : org.apache.hc.core5.http.io.entity.EntityUtils.toByteArray(got.getEntity());
                return got.getCode() + " " + read.length;
            });
        };
    }

    static Once okhttp(String url, byte[] body, int timeout, SSLContext tls) {
        okhttp3.OkHttpClient.Builder builder = new okhttp3.OkHttpClient.Builder().connectTimeout(timeout, TimeUnit.MILLISECONDS).readTimeout(timeout, TimeUnit.MILLISECONDS).writeTimeout(timeout, TimeUnit.MILLISECONDS);
        if (tls != null) builder.sslSocketFactory(tls.getSocketFactory(), trust);
        okhttp3.OkHttpClient client = builder.build();
        return () -> {
            okhttp3.Request.Builder it = new okhttp3.Request.Builder().url(url);
            if (body != null) it.post(okhttp3.RequestBody.create(null, body));
            try (okhttp3.Response got = client.newCall(it.build()).execute()) {
                return got.code() + " " + got.body().bytes().length;
            }
        };
    }
}
