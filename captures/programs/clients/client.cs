// A client on .NET's or Mono's HttpWebRequest, HttpClient or WCF; see README.md for its arguments.
using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading;

#if WCF
using System.ServiceModel;

[ServiceContract(Namespace = "urn:lab")]
public interface IPing
{
    [OperationContract(Action = "urn:lab/Ping", ReplyAction = "*")]
    string Ping(string x);
}
#endif

public static class Client
{
    static void Told(Exception error)
    {
        var several = error as AggregateException;
        if (several != null) error = several.InnerException;
        for (var it = error; it != null; it = it.InnerException)
        {
            var more = "";
            var web = it as WebException;
            if (web != null) more = " Status=" + web.Status;
            var socket = it as System.Net.Sockets.SocketException;
            if (socket != null) more = " SocketErrorCode=" + socket.SocketErrorCode + " ErrorCode=" + socket.ErrorCode;
            Console.WriteLine("ERR " + it.GetType().FullName + ": " + it.Message.Replace("\n", "\\n") + more);
        }
    }

    static int Drain(Stream from)
    {
        var copy = new MemoryStream();
        from.CopyTo(copy);
        return (int)copy.Length;
    }

    public static void Main(string[] a)
    {
        string lib = a[0], url = a[1], method = a[2];
        int timeout = int.Parse(a[3]), repeat = int.Parse(a[4]), interval = int.Parse(a[5]);
        var body = new byte[int.Parse(a[6])];
        for (var i = 0; i < body.Length; i++) body[i] = (byte)'x';
        var post = method == "POST";
        Func<string> once = null;
        if (lib == "webrequest")
        {
            once = () =>
            {
                var it = (HttpWebRequest)WebRequest.Create(url);
                it.Timeout = it.ReadWriteTimeout = timeout;
                it.Proxy = null;
                if (post)
                {
                    it.Method = "POST";
                    it.ContentLength = body.Length;
                    using (var to = it.GetRequestStream()) to.Write(body, 0, body.Length);
                }
                using (var got = (HttpWebResponse)it.GetResponse())
                using (var from = got.GetResponseStream())
                    return (int)got.StatusCode + " " + Drain(from);
            };
        }
        else if (lib.StartsWith("httpclient"))
        {
            var client = new HttpClient(new HttpClientHandler { UseProxy = false }) { Timeout = TimeSpan.FromMilliseconds(timeout) };
            once = () =>
            {
                var it = post ? client.PostAsync(url, new ByteArrayContent(body)).GetAwaiter().GetResult() : client.GetAsync(url).GetAwaiter().GetResult();
                if (lib == "httpclient-ensure") it.EnsureSuccessStatusCode();
                return (int)it.StatusCode + " " + it.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult().Length;
            };
        }
#if WCF
        else if (lib == "wcf")
        {
            var span = TimeSpan.FromMilliseconds(timeout);
            var binding = new BasicHttpBinding { OpenTimeout = span, SendTimeout = span, ReceiveTimeout = span };
            if (url.StartsWith("https")) binding.Security.Mode = BasicHttpSecurityMode.Transport;
            var channel = new ChannelFactory<IPing>(binding, new EndpointAddress(url)).CreateChannel();
            once = () => "200 " + (channel.Ping(post ? new string('x', body.Length) : "hello") ?? "").Length;
        }
#endif
        for (var n = 1; n <= repeat; n++)
        {
            if (n > 1) Thread.Sleep(interval);
            try
            {
                Console.WriteLine("REQ " + n + " OK " + once() + "B");
            }
            catch (Exception error)
            {
                Told(error);
                Console.WriteLine("REQ " + n + " FAILED");
            }
        }
        Console.Out.Flush();
        Environment.Exit(0);
    }
}
