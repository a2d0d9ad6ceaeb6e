import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** One session of a Java client with a server, step by step: Client DRIVER STEP... Steps and environment are those of client.py. */
public class Client {
    interface Session { Object query(String text) throws Exception; void close() throws Exception; }

    static String env(String name, String usual) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? usual : value;
    }

    static Session jdbc(String url) throws Exception {
        Connection connection = DriverManager.getConnection(url, env("DBUSER", "app"), env("PASSWORD", "secret"));
        return new Session() {
            public Object query(String text) throws Exception {
                try (Statement statement = connection.createStatement()) {
                    int limit = Integer.parseInt(env("QUERY_TIMEOUT", "0"));
                    if (limit > 0) statement.setQueryTimeout(limit);
                    return statement.execute(text);
                }
            }
            public void close() throws Exception { connection.close(); }
        };
    }

    static Session https() throws Exception {
        HttpClient.Builder builder = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1);
        if (!env("CA", "").isEmpty()) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null);
            try (InputStream file = new java.io.FileInputStream(env("CA", ""))) {
                store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            builder.sslContext(context);
        }
        HttpClient client = builder.build();
        String base = env("SCHEME", "https") + "://" + env("HOST", "10.78.0.1") + ":" + env("PORT", "443");
        return new Session() {
            public Object query(String path) throws Exception {
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path));
                if (!env("TIMEOUT", "").isEmpty()) request.timeout(Duration.ofSeconds(Long.parseLong(env("TIMEOUT", ""))));
                HttpResponse<byte[]> response = client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
                return response.statusCode() + ", " + response.body().length + " bytes";
            }
            public void close() {}
        };
    }

    static Session open(String driver) throws Exception {
        String host = env("HOST", "10.78.0.1");
        String options = env("OPTIONS", "");
        switch (driver) {
            case "pgjdbc": return jdbc("jdbc:postgresql://" + host + ":" + env("PORT", "5432") + "/app?sslmode=" + env("TLS", "disable") + options);
            case "mariadb-jdbc": return jdbc("jdbc:mariadb://" + host + ":" + env("PORT", "3306") + "/app?a=b" + options);
            default: return https();
        }
    }

    public static void main(String[] arguments) {
        try {
            Session session = open(arguments[0]);
            for (int i = 1; i < arguments.length; i++) {
                String step = arguments[i];
                if (step.startsWith("@sleep")) Thread.sleep((long) (Double.parseDouble(step.split(" ")[1]) * 1000));
                else if (step.equals("@close")) session.close();
                else if (step.equals("@leave")) Runtime.getRuntime().halt(0);
                else System.out.println("answer: " + session.query(step));
            }
        } catch (Exception error) {
            StringBuilder text = new StringBuilder("error: " + error);
            for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) text.append(" | Caused by: ").append(cause);
            System.out.println(text);
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0);
    }
}
