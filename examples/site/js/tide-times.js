/* Fills the page tide-times.html. The table is invented and must not be used for navigation. */
(function () {
  "use strict";

  var days = [
    ["Monday 15 June", "05:21, 0.6 m", "11:38, 5.0 m", "17:42, 0.7 m", "23:55, 5.0 m"],
    ["Tuesday 16 June", "06:05, 0.5 m", "12:22, 5.2 m", "18:26, 0.6 m", "none before midnight"],
    ["Wednesday 17 June", "06:49, 0.5 m", "13:07, 5.1 m", "19:11, 0.6 m", "00:38, 5.1 m"],
    ["Thursday 18 June", "07:33, 0.6 m", "13:53, 4.9 m", "19:57, 0.8 m", "01:22, 5.0 m"],
    ["Friday 19 June", "08:19, 0.8 m", "14:42, 4.7 m", "20:46, 1.0 m", "02:08, 4.8 m"],
    ["Saturday 20 June", "09:09, 1.0 m", "15:35, 4.5 m", "21:41, 1.3 m", "02:57, 4.6 m"],
    ["Sunday 21 June", "10:05, 1.2 m", "16:34, 4.3 m", "22:44, 1.5 m", "03:52, 4.4 m"]
  ];

  var head = ["Day", "Morning low water", "Daytime high water", "Evening low water", "Night high water"];

  function row(cells, tag) {
    return "<tr>" + cells.map(function (c) { return "<" + tag + ">" + c + "</" + tag + ">"; }).join("") + "</tr>";
  }

  var text =
    "<h1>Tide times this week</h1>" +
    "<p>These are the tide times at Marram Quay for the week from 15 to 21 June 2026. All times are British Summer Time, and heights are in metres above chart datum.</p>" +
    "<h2>High and low water</h2>" +
    "<table><caption>Tides at Marram Quay</caption><thead>" + row(head, "th") + "</thead><tbody>" +
    days.map(function (d) { return row(d, "td"); }).join("") +
    "</tbody></table>" +
    "<p>The highest tide of the week is 5.2 metres, on Tuesday 16 June at 12:22. The highest tide of the whole year at Marram Quay, 5.6 metres, is expected on 28 September 2026.</p>" +
    "<h2>Using the table</h2>" +
    "<p>The depth in the marina entrance is the height of the tide plus 1.6 metres. A white tide gauge on the last pile of pontoon A shows the height of the tide, and it is lit at night by a lamp on a switch with a red cord.</p>" +
    "<h3>How much does air pressure change the tide?</h3>" +
    "<p>A rise of 10 millibars in air pressure lowers the sea at Marram Quay by about 10 centimetres. Strong north-easterly winds can raise the tide by up to 50 centimetres.</p>" +
    "<h3>When will the dry dock be used this week?</h3>" +
    "<p>The dry dock gate will be opened on Wednesday 17 June at 12:30 to let in the tug Harald. Please keep the basin clear from 12:00 to 14:00 on that day.</p>" +
    "<h3>When is the water taxi stopped by the tide?</h3>" +
    "<p>The water taxi cannot reach the ferry slip for one hour on either side of low water; it then lands at the fuel dock.</p>";

  function fill() { document.getElementById("main").innerHTML = text; }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", fill);
  } else {
    fill();
  }
}());
