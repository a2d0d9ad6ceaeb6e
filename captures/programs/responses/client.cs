// Asks for every response of responses.py with Mono's HttpWebRequest: client.exe BASE COUNT.
using System;
using System.Collections.Generic;
using System.Net;
using System.Text;

class Client
{
    static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var it in text)
        {
            if (it == '"' || it == '\\') quoted.Append('\\').Append(it);
            else if (it < ' ') quoted.AppendFormat("\\u{0:x4}", (int)it);
            else quoted.Append(it);
        }
        return quoted.Append('"').ToString();
    }

    static void Main(string[] args)
    {
        for (var i = 0; i < int.Parse(args[1]); i++)
        {
            var ok = "null";
            var lines = new List<string>();
            try
            {
                var request = (HttpWebRequest)WebRequest.Create(args[0] + i);
                request.Timeout = request.ReadWriteTimeout = 4000;
                request.AllowAutoRedirect = false;
                // A connection whose response is never complete counts for its group.
                request.ConnectionGroupName = args[0] + i;
                using (var response = (HttpWebResponse)request.GetResponse())
                {
                    var size = 0;
                    var buffer = new byte[65536];
                    var body = response.GetResponseStream();
                    for (int got; (got = body.Read(buffer, 0, buffer.Length)) > 0; ) size += got;
                    ok = "[" + (int)response.StatusCode + ", " + size + "]";
                }
            }
            catch (Exception error)
            {
                for (var it = error; it != null; it = it.InnerException)
                    lines.Add(Quoted(it.GetType() + ": " + it.Message));
            }
            Console.WriteLine("{\"i\": " + i + ", \"ok\": " + ok + ", \"lines\": [" + string.Join(", ", lines) + "]}");
        }
    }
}
