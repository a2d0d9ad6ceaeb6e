// Asks for every response of responses.py with Java's own clients: Client LIBRARY BASE COUNT.

import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

public class Client {
    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < 32 || c > 126 || c == '"' || c == '\\') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static String viaConnection(String url) throws Exception {
        HttpURLConnection it = (HttpURLConnection) new URL(url).openConnection();
        it.setReadTimeout(4000);
        it.setInstanceFollowRedirects(false);
        int status = it.getResponseCode();
        InputStream in = status >= 400 ? it.getErrorStream() : it.getInputStream();
        return "[" + status + "," + (in == null ? 0 : in.readAllBytes().length) + "]";
    }

    static String viaClient(String url) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(4)).build();
        HttpResponse<byte[]> it = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        return "[" + it.statusCode() + "," + it.body().length + "]";
    }

    public static void main(String[] arguments) {
        boolean old = arguments[0].equals("urlconn");
        for (int i = 0; i < Integer.parseInt(arguments[2]); i++) {
            List<String> lines = new ArrayList<>();
            String ok = "null";
            try {
                ok = old ? viaConnection(arguments[1] + i) : viaClient(arguments[1] + i);
            } catch (Throwable error) {
                for (Throwable it = error; it != null; it = it.getCause()) lines.add(quoted(it.toString()));
            }
            System.out.println("{\"i\":" + i + ",\"ok\":" + ok + ",\"lines\":[" + String.join(",", lines) + "]}");
        }
        System.exit(0);
    }
}
